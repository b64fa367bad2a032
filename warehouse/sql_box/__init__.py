"""What runs inside the closed box: the gate, the engine's own locks and the system's, and the child process itself."""
