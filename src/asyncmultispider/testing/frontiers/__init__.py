"""What every frontier does: the conformance suite of the port `Frontier`."""

from asyncmultispider.testing.frontiers.admission import AdmissionTests
from asyncmultispider.testing.frontiers.crowds import CrowdTests
from asyncmultispider.testing.frontiers.leases import LeaseTests
from asyncmultispider.testing.frontiers.manners import MannersTests
from asyncmultispider.testing.frontiers.order import OrderTests
from asyncmultispider.testing.frontiers.rules import RobotsTests
from asyncmultispider.testing.frontiers.traps import DurableTrapTests, TrapTests


class FrontierSuite(
    AdmissionTests, MannersTests, OrderTests, RobotsTests, CrowdTests, LeaseTests, TrapTests
):
    """Subclass it, and give it a `make_frontier`. The tests close what they made."""


class DurableFrontierSuite(FrontierSuite, DurableTrapTests):
    """The same for a frontier that outlives its process."""
