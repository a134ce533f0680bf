"""Adaptive bit rate: one interface, three references from the literature, and the player's own policy."""

from player_sdk.abr.bola import BolaAbr
from player_sdk.abr.interface import Abr, AbrState, Decision, DownloadSample, QualityWeights
from player_sdk.abr.markov_mpc import DefaultAbr, MarkovMpcAbr
from player_sdk.abr.robust_mpc import RobustMpcAbr
from player_sdk.abr.throughput import ThroughputAbr

__all__ = [
    "Abr",
    "AbrState",
    "BolaAbr",
    "Decision",
    "DefaultAbr",
    "DownloadSample",
    "MarkovMpcAbr",
    "QualityWeights",
    "RobustMpcAbr",
    "ThroughputAbr",
]
