"""Copy Diagnostics tells what is needed and no names, home folders or passwords."""

from pathlib import Path

from world_tracing.worldtracing_addon.core.diagnostics import private, report


def test_private_words_are_left_out():
    text = "/home/anna/x in /home/anna, /home/annabel; user anna via https://anna:secret@proxy.example/simple"
    assert private(text, Path("/home/anna"), "anna") == (
        "~/x in ~, /home/annabel; user <user> via https://proxy.example/simple"
    )
    windows = r"C:\Users\Anna\AppData and C:\\Users\\Anna\\x, c:\users\anna"
    assert "anna" not in private(windows, Path(r"C:\Users\Anna"), "Anna").lower()
    assert private("/root/a b", Path("/root"), "") == "~/a b"


def test_facts_checks_and_the_ends_of_logs(tmp_path):
    log = tmp_path / "worker.log"
    log.write_text("".join(f"line {number}\n" for number in range(500)))
    checks = [{"ok": True, "name": "torch", "detail": "2.0"}, {"ok": False, "name": "cv2", "detail": "gone"}]
    lines = report({"Blender": "5.2"}, checks, [tmp_path / "missing.log", log]).splitlines()
    assert lines[:3] == ["Blender: 5.2", "[ok] torch: 2.0", "[FAILS] cv2: gone"]
    assert "--- worker.log" in lines and lines[-1] == "line 499" and "line 400" not in lines
