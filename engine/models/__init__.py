"""The one way out to models: aliases, routes, recorded replies, stand-ins, bounded repair."""
