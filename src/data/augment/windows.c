/* Sizes and boxes of windows. */
#include "data/augment/windows.h"

const char *const window_filters[] = {"area",     "triangle", "cubic",
                                      "bilinear", "nearest",  NULL};

void window_set_out(transform_plan *p) {
    p->out = (transform_shape){(int)p->value[0], (int)p->value[1], p->in.channels};
}

static int side(double length, int room) {
    int n = (int)length;
    return n < 1 ? 1 : n > room ? room : n;
}

void window_central(
    const transform_plan *p, int width, int height, double ratio, image_box *box) {
    double w = width, h = height, ow = p->out.width, oh = p->out.height;
    if (w * oh > h * ow)
        w = h * ow / oh;
    else
        h = w * oh / ow;
    box->width = side(ratio * w, width);
    box->height = side(ratio * h, height);
    box->x = (width - box->width) / 2;
    box->y = (height - box->height) / 2;
}
