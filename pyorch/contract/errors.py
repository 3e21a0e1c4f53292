"""The project's errors: one root class; each kind has the exit code of its process.

A message says what happened, how much, the limit, and what to try.
"""

from __future__ import annotations


class PyorchError(Exception):
    """Root of every error that a user can cause or meet."""

    exit_code = 10


class DeviceError(PyorchError):
    """A card, GPU or port is absent, busy, or answered wrongly."""

    exit_code = 1


class BuildError(PyorchError):
    """A build step failed: conversion, compilation, synthesis, routing."""

    exit_code = 2


class EnvironmentMissingError(PyorchError):
    """A tool or Python package that the command needs is not installed."""

    exit_code = 3


class UsageError(PyorchError):
    """An argument, option or configuration value cannot be used."""

    exit_code = 4


class DataError(PyorchError):
    """A tape or recording is truncated, garbled or inconsistent."""

    exit_code = 5


class SequenceGapError(DataError):
    """A feed lost messages: the book is invalid until the next snapshot."""


class BundleError(PyorchError):
    """A bundle is damaged, incomplete or of another format."""

    exit_code = 6


class ModelError(PyorchError):
    """A model has layers or values that the contract does not carry."""

    exit_code = 7


class MismatchError(PyorchError):
    """Two engines that must return the same bits did not."""

    exit_code = 8
