"""What things cost, each beside a floor measured in the same run. Never a timed test."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TRIALS = ROOT / "tests" / "registry" / "langgraph.json"

# The measured workflows load as `trials`, as they do in a server that is pointed at their registry.
if str(TRIALS.parent) not in sys.path:
    sys.path.insert(0, str(TRIALS.parent))
