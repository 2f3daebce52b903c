"""PARA: Pixel-Aligned Robot Actions. Start reading at `para.interfaces`."""

__version__ = "0.1.0"
