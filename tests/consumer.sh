#!/bin/sh
# Installs into a folder of its own and builds the example against that: by pkg-config and by
# CMake, shared and static.
# usage: consumer.sh SOURCE_DIR BUILD_DIR PKGCONFIG_DIR C_COMPILER [FLAGS]
set -eu
source=$1 build=$2 pkgconfig=$3 cc=$4 flags=${5-}
work=$(mktemp -d "$build/consumer.XXXXXX")
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

cmake --install "$build" --prefix "$prefix" >"$work/log" || { cat "$work/log"; exit 1; }
find "$prefix" -type f -o -type l | sed "s|$prefix/||" | sort

export PKG_CONFIG_PATH="$prefix/$pkgconfig"
libdir=$(pkg-config --variable=libdir assay)
echo "--- pkg-config: $(pkg-config --modversion assay)"
# shellcheck disable=SC2046,SC2086 # lists of flags
"$cc" -std=c11 $flags "$source/examples/consumer/consumer.c" \
    $(pkg-config --cflags --libs assay) -o "$work/shared"
LD_LIBRARY_PATH=$libdir "$work/shared"

echo "--- pkg-config --static"
# shellcheck disable=SC2046,SC2086
"$cc" -std=c11 $flags "$source/examples/consumer/consumer.c" $(pkg-config --cflags assay) \
    "$libdir/libassay.a" $(pkg-config --static --libs assay | sed 's/-lassay//') -o "$work/static"
"$work/static"
if ldd "$work/static" | grep libassay; then
    echo "the static program wants the shared library" >&2
    exit 1
fi

echo "--- CMake"
cmake -S "$source/examples/consumer" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags" >"$work/log" || { cat "$work/log"; exit 1; }
cmake --build "$work/cmake" >"$work/log" || { cat "$work/log"; exit 1; }
"$work/cmake/consumer"
"$work/cmake/consumer_static"

if [ -x "$prefix/bin/assay" ]; then
    "$prefix/bin/assay" --version
fi
