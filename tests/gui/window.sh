#!/usr/bin/env bash
# Runs where Blender is (chroot or here): a virtual screen, a clean profile, the zip installed, the driver in a window.
#   window.sh FOLDER     holding extension.zip, driver.py and coffee.jpg; screenshots and log go to FOLDER/out
set -uo pipefail
folder=$1
blender=${BLENDER:-blender}
export HOME=$folder/home BLENDER_USER_RESOURCES=$folder/profile XDG_RUNTIME_DIR=$folder/run LC_ALL=C.UTF-8
export DISPLAY=:${DISPLAY_NUMBER:-78} LIBGL_ALWAYS_SOFTWARE=1 WT_FOLDER=$folder
mkdir -p "$HOME" "$BLENDER_USER_RESOURCES" "$XDG_RUNTIME_DIR" "$folder/out"
chmod 700 "$XDG_RUNTIME_DIR"

"$blender" --command extension validate "$folder/extension.zip" || exit 1
"$blender" --command extension install-file -r user_default --enable "$folder/extension.zip" || exit 1
"$blender" -b --python-exit-code 9 --python-expr "
import addon_utils, bpy
assert addon_utils.check('bl_ext.user_default.world_tracing') == (True, True)
bpy.context.preferences.view.show_splash = False
bpy.ops.wm.save_userpref()" || exit 1

Xvfb $DISPLAY -screen 0 1600x900x24 -nolisten tcp >"$folder/out/xvfb.log" 2>&1 &
screen=$!
trap 'kill $screen 2>/dev/null' EXIT
sleep 2
timeout "${LIMIT:-600}" "$blender" --window-geometry 0 0 1600 900 --python-exit-code 3 --python "$folder/driver.py" \
    >"$folder/out/blender.log" 2>&1
code=$?
grep -E "^\[gui\]|Error|Traceback" "$folder/out/blender.log"
exit $code
