"""One page for a whole family of experiments, from the files of their runs alone; read `page.py` first."""
