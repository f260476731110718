"""One module per stage, each with `run(config, layout)`; they read and write only what `Layout` names."""
