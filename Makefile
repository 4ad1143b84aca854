lint:
	.venv/bin/ruff check . && .venv/bin/ruff format --check .
