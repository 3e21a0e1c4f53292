"""Pricing, policy, quoting, risk and FIX."""
