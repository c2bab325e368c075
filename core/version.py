"""The project's version, defined once; packaging reads it from here."""

VERSION = "0.1.0"
