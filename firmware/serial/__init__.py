"""The host of a fabric on a serial line: packets, link, driver, engine (docs/serial.md)."""
