#!/usr/bin/python3
"""A second reader of .beton, written from docs/format.md, for tests: prints header, fields, cells and
records, one a line, as tests/beton_list.c does, and checks all checksums of assay's section.

usage: read_beton.py FILE
"""
import hashlib
import struct
import sys

CELLS = {0: (8, 8), 1: (8, 8), 2: (13, 1), 3: (16, 1), 4: (8, 8), 5: (16, 1), 6: (8, 8)}

TABLE = []
for i in range(256):
    for _ in range(8):
        i = i >> 1 ^ 0x82F63B78 if i & 1 else i >> 1
    TABLE.append(i)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def up(x, a):
    return (x + a - 1) // a * a


def check(condition, what):
    if not condition:
        sys.exit(f"{sys.argv[1]}: {what}")


def u32(at):
    return struct.unpack_from("<I", FILE, at)[0]


def u64(at):
    return struct.unpack_from("<Q", FILE, at)[0]


def read_fields(count):
    fields, at, largest = [], 0, 1
    for i in range(count):
        d = FILE[24 + 1041 * i:][:1041]
        check(d[0] in CELLS, f"field {i} has type {d[0]}")
        size, align = CELLS[d[0]]
        at = up(at, align)
        fields.append((d[0], d[1:17].rstrip(b"\0").decode("ascii"), at, size))
        print("F", i, d[0], at, hashlib.sha256(d[17:]).hexdigest()[:16], fields[-1][1])
        at, largest = at + size, max(largest, align)
    return fields, up(at, largest)


def read_section(metadata, metadata_end, page_size, table):
    """Checks the section if there is one; returns where the data ends."""
    trailer = table - 64
    if trailer < metadata_end or FILE[trailer:trailer + 8] != b"ASSAYSEC":
        return table
    check(crc32c(FILE[trailer:trailer + 60]) == u32(trailer + 60), "trailer")
    version, records, begin, size, whole = struct.unpack_from("<IIQQQ", FILE, trailer + 8)
    check(version == 1 and whole == len(FILE), "section's version or file's size")
    at = begin
    for _ in range(records):
        check(crc32c(FILE[at:at + 20]) == u32(at + 20), "record")
        tag, length = FILE[at:at + 4], u64(at + 8)
        value = FILE[at + 24:at + 24 + length]
        check(crc32c(value) == u32(at + 4), "value")
        print("R", tag.decode("ascii"), length, hashlib.sha256(value).hexdigest()[:16])
        if tag == b"CSUM":
            page, _, pages, first, head, meta, entries = struct.unpack_from("<IIQQIII", value)
            check(page == page_size and first + page * pages == begin, "pages")
            regions = [(0, metadata, head), (metadata, first, meta), (table, len(FILE), entries)]
            regions += [(first + page * i, first + page * (i + 1), s)
                        for i, s in enumerate(struct.unpack_from(f"<{pages}I", value, 48))]
            for low, high, want in regions:
                check(crc32c(FILE[low:high]) == want, f"checksum of {low} to {high}")
        check(not any(FILE[at + 24 + length:at + 24 + up(length, 8)]), "padding")
        at += 24 + up(length, 8)
    check(at == begin + size and not any(FILE[at:trailer]), "end of the records")
    return begin


def main():
    check(len(FILE) >= 24 and FILE[:2] == b"\2\0", "not a .beton of version 2")
    _, num_fields, page_size, samples, table = struct.unpack_from("<HHIQQ", FILE)
    print("H", num_fields, page_size, samples, table, (len(FILE) - table) // 24)
    fields, stride = read_fields(num_fields)
    metadata = 24 + 1041 * num_fields
    metadata_end = metadata + samples * stride
    check(metadata_end <= table <= len(FILE) and (len(FILE) - table) % 24 == 0, "table")
    end = read_section(metadata, metadata_end, page_size, table)
    sizes = {}
    for sample, ptr, size in struct.iter_unpack("<QQQ", FILE[table:]):
        check(sample < samples and metadata_end <= ptr <= ptr + size <= end, "entry")
        sizes[ptr] = max(size, sizes.get(ptr, 0))
    for sample in range(samples):
        for i, (kind, _, offset, size) in enumerate(fields):
            at = metadata + sample * stride + offset
            line = ["C", sample, i, FILE[at:at + size].hex()]
            if kind > 1:
                ptr = u64(at + (5 if kind == 2 else 0))
                size = u64(at + 8) if kind in (3, 5) else sizes[ptr]
                line += [size, hashlib.sha256(FILE[ptr:ptr + size]).hexdigest()[:16]]
            print(*line)


with open(sys.argv[1], "rb") as file:
    FILE = file.read()
main()
