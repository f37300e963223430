"""Provider servers that speak each protocol on a real loopback socket, as strict as the real ones."""
