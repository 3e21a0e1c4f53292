"""Benches of the ingress: UDP datagrams from the pins of a PHY to the decoder of events."""
