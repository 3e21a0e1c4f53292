"""From a bundle to synthesizable SystemVerilog."""
