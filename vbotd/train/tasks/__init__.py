"""The bundled tasks: their published cards (light), and the environments that they describe (heavy)."""
