"""A real Docker Swarm on one machine, to cut, pause and kill; ``python -m tests.rig`` from a shell."""

from tests.rig.rig import Rig as Rig
from tests.rig.rig import RigBroken as RigBroken
