"""The project's version, told once; packaging reads it here."""

VERSION = "0.1.0"
