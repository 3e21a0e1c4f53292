"""One prediction a tick from several engines: compared, judged, handed over with the recurrent state."""
