"""From a fabric to AMD's tools: packaged IP, block design, constraints, scripts that run unattended."""
