"""A fake of github.com/microsoft/TRELLIS.2."""
