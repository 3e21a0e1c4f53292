"""The engine `serial`: a fabric on a board that is reached by a serial port."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from firmware.engine import FabricEngine
from firmware.serial.driver import SerialDriver
from firmware.serial.link import WAIT_S, SerialLink, open_port
from firmware.serial.timing import DEFAULT_BAUD
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import EnvironmentMissingError, MismatchError
from pyorch.contract.fabric import FabricManifest
from pyorch.inference.model_check import check_model

PORT_VARIABLE, PROJECT_VARIABLE = "PYORCH_SERIAL_PORT", "PYORCH_SERIAL_PROJECT"


class SerialEngine(FabricEngine):
    """The fabric behind the serial bridge."""

    @classmethod
    def open(cls, bundle: Bundle, **options: Any) -> SerialEngine:
        """Connect, check what answers against project and bundle, replay the golden vectors.

        Args:
            bundle: the model.
            options: ``port``: device file (default: ``$PYORCH_SERIAL_PORT``); ``project``: folder of the
                fabric that the board holds, or of its build (default: ``$PYORCH_SERIAL_PROJECT``); ``baud``;
                ``wait_s``: how long an answer may take beyond its time on the line; ``load``: load this image
                and swap to it, for a board that holds another model of the same fabric.

        Raises:
            EnvironmentMissingError: no port or project is named, or pyserial is missing.
            DeviceError: the port does not open, or nobody answers.
            MismatchError: another fabric or model, or the golden vectors did not come out.
        """
        cls.refuse_options(options, "port", "project", "baud", "wait_s", "load")
        check_model(bundle)
        port = options.get("port") or os.environ.get(PORT_VARIABLE)
        project = options.get("project") or os.environ.get(PROJECT_VARIABLE)
        if port is None or project is None:
            raise EnvironmentMissingError(
                f"the engine `serial` needs a port (option port, or {PORT_VARIABLE}) and the folder "
                f"of the fabric behind it (option project, or {PROJECT_VARIABLE}); `pyorch doctor` lists them"
            )
        baud = int(options.get("baud") or DEFAULT_BAUD)
        folder = Path(project)
        folder = folder / "fabric" if (folder / "fabric").is_dir() else folder
        manifest = FabricManifest.load(folder)
        wait_s = float(options.get("wait_s") or WAIT_S)
        link = SerialLink(open_port(str(port), baud), baud, wait_s=wait_s)
        try:
            driver = SerialDriver(link, manifest, str(port))
            driver.connect()
            driver.start()
            if options.get("load") is not None:
                driver.load(options["load"])
                driver.swap(clear=True)
            held = driver.model_digest(driver.active_set)
            if held != bundle.digest()[:16]:
                raise MismatchError(
                    f"the board at {port} holds model {held}, the bundle is {bundle.digest()[:16]}: load its "
                    "bitstream, or its weight image (option load)"
                )
            engine = cls(
                bundle,
                driver,
                mailbox=False,
                name="serial",
                device=f"{manifest.style} at {port}, {baud:,} baud",
            )
            engine.replay_golden()
        except BaseException:
            link.close()
            raise
        return engine

    def _release(self) -> None:
        super()._release()
        self.driver.link.close()
