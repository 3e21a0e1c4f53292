"""What every part agrees on: formats, events, schemas, models, bundles, engines, errors."""
