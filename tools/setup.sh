#!/bin/sh
# Installs the Debian packages that assay needs and that are not there yet; the one list of them.
#
#   tools/setup.sh          what a build needs, and the data set of `make demo`
#   tools/setup.sh check    also what the tests need
#
# docs/dependencies.md says why each of them is here.
set -eu

build='build-essential cmake ninja-build pkg-config libdnnl-dev libopenblas-serial-dev
       liblapacke-dev libspng-dev libjpeg62-turbo-dev libarchive-dev libjansson-dev zlib1g-dev
       libprotobuf-c-dev protobuf-c-compiler libonnx-dev'
demo='dataset-fashion-mnist'
check='libcmocka-dev clang libclang-rt-14-dev llvm chromium python3 groff man-db libonnx-testdata
       python3-dev python3-pytest python3-numpy mypy'

case ${1-} in
'') wanted="$build $demo" ;;
check) wanted="$build $demo $check" ;;
*)
    echo "usage: tools/setup.sh [check]" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "note: this is no Debian; make sure that the likes of these are installed:" >&2
    echo $wanted >&2
    exit 0
fi

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "error: packages are missing, and there is neither root nor sudo to install them" >&2
        echo "  help: as root: apt-get install$missing" >&2
        exit 2
    fi
    root=sudo
fi

install_missing() {
    $root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing
}

echo "installing:$missing"
# The package lists may be absent or old; they are fetched only if it doesn't work as it is.
install_missing || {
    $root apt-get update -qq
    install_missing
}
