#!/usr/bin/env bash
# The extension in a real Blender window under Xvfb: install the zip, click, trace, cancel, take screenshots.
#   run.sh ZIP [BLENDER]     with BLENDER, that one; otherwise Blender from Debian, in chroots made for it
# SUITES picks the Debian suites (trixie has Blender 4.3, sid 5.2); screenshots go to tests/gui/out/<suite>.
# Exit code 75: a window cannot be set up on this machine. Any other code than 0: the extension failed in the window.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
zip=$(readlink -f "$1")
blender=${2:-}
packages="blender python3-numpy python3-requests python3-zstandard python3-cattr xvfb xdotool imagemagick
    libgl1-mesa-dri libegl1 libegl-mesa0 libglx-mesa0"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/world-tracing-gui

stage() { # folder: what the window test needs
    rm -rf "$1" && mkdir -p "$1"
    cp "$zip" "$1/extension.zip"
    cp "$here"/*.py "$here/window.sh" "$here/../../examples/coffee.jpg" "$1/"
}

fetch() { # folder name: bring the screenshots and logs here
    rm -rf "$here/out/$2" && mkdir -p "$here/out"
    if [ -d "$1/out" ]; then cp -r "$1/out" "$here/out/$2"; fi
    rm -rf "$1"
}

if [ -n "$blender" ]; then
    for tool in Xvfb xdotool import; do
        command -v $tool >/dev/null || { echo "$tool is missing: apt-get install xvfb xdotool imagemagick"; exit 1; }
    done
    work=$(mktemp -d)
    stage "$work"
    code=0
    BLENDER=$(readlink -f "$blender") bash "$work/window.sh" "$work" || code=$?
    fetch "$work" given
    exit $code
fi

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make gui-test needs BLENDER=/path/to/blender here: chroots are made as root on Debian only." >&2
    exit 75
fi
unshare --mount --propagation private true || { echo "Mounts are not permitted here." >&2; exit 75; }
command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq debootstrap; } || exit 75

for suite in ${SUITES:-trixie sid}; do
    root=$cache/$suite
    if [ ! -e "$root/.ready" ]; then
        rm -rf "$root" && mkdir -p "$root"
        debootstrap --variant=minbase "$suite" "$root" >"$cache/$suite.log" 2>&1 || { tail -5 "$cache/$suite.log"; exit 75; }
        printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod +x "$root/usr/sbin/policy-rc.d"
    fi
    stage "$root/test"
    # Mounts live in a namespace of their own: nothing of this machine stays bound into the chroot.
    code=0
    unshare --mount --propagation private bash -uc '
        root=$1; shift
        mount -t proc proc "$root/proc" && mount -t sysfs sys "$root/sys" && mount --rbind /dev "$root/dev" || exit 75
        if [ ! -e "$root/.ready" ]; then
            chroot "$root" apt-get -qq -o Acquire::Check-Valid-Until=false update || exit 75
            DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -y -qq --no-install-recommends "$@" \
                >"$root.log" 2>&1 || { tail -5 "$root.log"; exit 75; }
            touch "$root/.ready"
        fi
        [ -z "${PREPARE_ONLY:-}" ] || exit 0
        env -u DISPLAY chroot "$root" /bin/bash /test/window.sh /test
    ' _ "$root" $packages || code=$?
    fetch "$root/test" "$suite"
    [ $code != 75 ] || exit 75
    [ $code = 0 ] || { echo "GUI test failed in $suite (exit $code); see tests/gui/out/$suite" >&2; exit $code; }
done
