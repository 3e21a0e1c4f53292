"""`pyorch fix-acceptor`."""

from __future__ import annotations

import click


@click.command("fix-acceptor")
@click.option("--begin-string", type=click.Choice(["FIX.4.2", "FIX.4.4"]), required=True)
@click.option("--sender", required=True, help="Our CompID.")
@click.option("--target", required=True, help="The other side's CompID.")
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="0: any.")
@click.option("--host", default="127.0.0.1", show_default=True)
def fix_acceptor(begin_string: str, sender: str, target: str, port: int, host: str) -> None:
    """Run the FIX session layer alone, for acceptance suites: an acceptor that echoes.

    Sequence numbers begin anew at each logon; fields are checked against the version's dictionary; messages
    D, d and C are echoed; with PossResend each ClOrdID once. Ends with an interrupt.
    """
    import asyncio
    import contextlib

    from pyorch.contract.errors import UsageError
    from pyorch.trading.fix.echo import ECHOED, Echo
    from pyorch.trading.fix.session_terms import SessionSettings
    from pyorch.trading.fix.transport import Acceptor

    settings = SessionSettings(
        begin_string.encode(),
        sender,
        target,
        initiator=False,
        reset_on_logon=True,
        supported=ECHOED,
    )
    acceptor = Acceptor(settings, Echo())

    def say(found: int) -> None:
        click.echo(f"listening on {host}:{found} as {sender} for {target}, {begin_string}")

    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(acceptor.serve(host, port, say))
        except OSError as error:
            raise UsageError(
                f"{host}:{port} cannot be listened on: {error.strerror}; give another --port, or 0 for any"
            ) from error


COMMANDS: list[click.Command] = [fix_acceptor]
