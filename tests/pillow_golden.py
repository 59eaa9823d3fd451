"""Prints the tables of src/data/augment/photometric_test.c and geometry_test.c: checksums of what Pillow
makes of one image.

Run by hand: python3 tests/pillow_golden.py. The image is 23 x 17, its bytes given by a formula that
the test knows too.
"""
from PIL import Image, ImageEnhance, ImageOps

WIDTH, HEIGHT = 23, 17


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def picture():
    n = WIDTH * HEIGHT * 3
    return Image.frombytes("RGB", (WIDTH, HEIGHT), bytes(
        20 + (i * 2654435761 % 2**32 >> 13) % 190 for i in range(n)))


def main():
    im = picture()
    enhance = [("BRIGHTNESS", ImageEnhance.Brightness, (0, 0.6, 1.7)),
               ("CONTRAST", ImageEnhance.Contrast, (0, 0.3, 1.9)),
               ("SATURATION", ImageEnhance.Color, (0.2, 1, 1.6)),
               ("SHARPNESS", ImageEnhance.Sharpness, (0, 0.4, 1.8))]
    for name, kind, factors in enhance:
        for f in factors:
            print("    {%s, %g, 0x%08x}," % (name, f, crc32c(kind(im).enhance(f).tobytes())))
    others = [("SOLARIZE", 100, ImageOps.solarize(im, 100)),
              ("SOLARIZE", 0, ImageOps.invert(im)),
              ("POSTERIZE", 3, ImageOps.posterize(im, 3)),
              ("EQUALIZE", 0, ImageOps.equalize(im)),
              ("AUTOCONTRAST", 0, ImageOps.autocontrast(im)),
              ("GRAYSCALE", 0, im.convert("L").convert("RGB"))]
    for name, amount, out in others:
        print("    {%s, %g, 0x%08x}," % (name, amount, crc32c(out.tobytes())))
    # no pixel's middle falls onto a border, where Pillow's 16 bits of fraction decide
    maps = [(0.9137, 0.3071, -1.13, -0.2113, 1.1019, 2.31), (1, 0.3137, 0, 0, 1, 0), (-1, 0, 23, 0, -1, 17),
            (0.4053, -0.0817, 7.5039, 0.0812, 0.378, 3.3488)]
    for m in maps:
        out = im.transform(im.size, Image.Transform.AFFINE, m, Image.Resampling.NEAREST)
        print("    {{%.6g, %.6g, %.6g, %.6g, %.6g, %.6g}, 0x%08x}," % (*m, crc32c(out.tobytes())))
    for degrees in (33, -100):
        print("    {%g, 0x%08x}," % (degrees, crc32c(im.rotate(degrees).tobytes())))


main()
