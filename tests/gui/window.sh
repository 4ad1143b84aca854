#!/usr/bin/env bash
# Runs where Blender is (chroot or here): a virtual screen, a clean profile, the zip installed, the driver in a window.
#   window.sh FOLDER     holding extension.zip, driver.py and coffee.jpg; screenshots and log go to FOLDER/out
# Exit code 75: Blender or the screen does not even start. The driver ends by quitting Blender in mid-trace, so what
# must not be left behind is looked for here.
set -uo pipefail
folder=$1
blender=${BLENDER:-blender}
export HOME=$folder/home BLENDER_USER_RESOURCES=$folder/profile XDG_RUNTIME_DIR=$folder/run TMPDIR=$folder/tmp
export LC_ALL=C.UTF-8 LIBGL_ALWAYS_SOFTWARE=1 WT_FOLDER=$folder
mkdir -p "$HOME" "$BLENDER_USER_RESOURCES" "$XDG_RUNTIME_DIR" "$TMPDIR" "$folder/out"
chmod 700 "$XDG_RUNTIME_DIR"

running_workers() { # those of the driver's list that have not ended
    while read -r pid; do
        if grep -qs launcher.py "/proc/$pid/cmdline"; then echo "$pid"; fi
    done <"$folder/workers"
}

"$blender" --version >/dev/null || exit 75
mkfifo "$folder/display"
Xvfb -displayfd 5 -screen 0 1600x900x24 -nolisten tcp 5>"$folder/display" >"$folder/out/xvfb.log" 2>&1 &
screen=$!
trap 'kill $screen 2>/dev/null' EXIT
read -r -t 60 number <>"$folder/display" || { cat "$folder/out/xvfb.log"; exit 75; }
export DISPLAY=:$number

"$blender" --command extension validate "$folder/extension.zip" || exit 1
"$blender" --command extension install-file -r user_default --enable "$folder/extension.zip" || exit 1
"$blender" -b --python-exit-code 9 --python-expr "
import addon_utils, bpy
assert addon_utils.check('bl_ext.user_default.world_tracing') == (True, True)
bpy.context.preferences.view.show_splash = False
bpy.ops.wm.save_userpref()" || exit 1

export WT_LIMIT=${LIMIT:-900}
timeout -k 10 $((WT_LIMIT + 60)) "$blender" --window-geometry 0 0 1600 900 --python-exit-code 3 --python "$folder/driver.py" \
    >"$folder/out/blender.log" 2>&1
code=$?
grep -E "^\[gui\]|Error|Traceback" "$folder/out/blender.log"
[ $code = 0 ] || { echo "Blender ended with exit code $code"; exit "$((code == 75 ? 1 : code))"; }
grep -q "^\[gui\].* PASS;" "$folder/out/blender.log" || { echo "Blender ended before the driver did"; exit 1; }

for _ in 1 2 3 4 5 6 7 8 9 10; do
    left=$(running_workers)
    [ -n "$left" ] || break
    sleep 1
done
[ -z "$left" ] || { echo "Blender has quit and left its worker behind: $left"; exit 1; }
left=$(find "$TMPDIR" "$BLENDER_USER_RESOURCES" -name "world-tracing-*" -path "*/tmp/*" -o -name ".*.safetensors.*.tmp")
[ -z "$left" ] || { echo "Blender has quit and left behind: $left"; exit 1; }
echo "[gui] nothing is left of the trace in which Blender was quit"
