"""The failures a desk can act on. Each is named for the fact; its message says what to do next."""


class DeskError(Exception):
    """A failure somebody on the desk can do something about.

    The message states what was expected, what came, where, whether anything was written, and the next step. What
    nobody can act on is a bug, and bugs are assertions.
    """


class AmountNotExact(DeskError):
    """A sum of money that minor units of its currency cannot hold exactly."""


class UnknownCurrency(DeskError):
    """A currency without a known number of decimals."""


class UnpricedPosition(DeskError):
    """A position without a usable price: a requirement computed without it would be too small, and look right."""


class MixedAsOf(DeskError):
    """Inputs of one computation that describe different business days."""


class RuleNotInForce(DeskError):
    """No edition of a rulebook binds the day asked for."""


class RulebookNotUsable(DeskError):
    """A rulebook file that is missing, malformed, or not of the form asked for."""


class TooFewScenarios(DeskError):
    """A tail measure asked of fewer outcomes than its confidence level needs."""


class TransferRefused(DeskError):
    """A posting that breaks a rule of the ledger; nothing was written."""


class LedgerTampered(DeskError):
    """A history that is not as it was written: ``finding`` is the rule that broke, ``sequence`` the first bad entry."""

    def __init__(self, message: str, finding: str = "", sequence: int | None = None) -> None:
        super().__init__(message)
        self.finding, self.sequence = finding, sequence


class DayNotSealable(DeskError):
    """A day that cannot be signed as it stands, or not any more."""


class ProofNotPossible(DeskError):
    """A proof asked for of something no signed day covers."""


class ProofRefused(DeskError):
    """A proof that does not prove what it says."""


class TableNotSealable(DeskError):
    """A table with a column that has no plain bytes to be hashed."""


class MarketFolderNotUsable(DeskError):
    """A market-data folder that is missing, empty, or of no layout we read."""


class DeliveryRefused(DeskError):
    """A whole delivery that cannot be believed: half written, wrong columns, a trailer that disagrees."""


class NoPrices(DeskError):
    """A business day for which no price was delivered."""


class TableNotInLake(DeskError):
    """A table, day or part that was never written, or that no longer matches what was written."""


class CheckFailed(DeskError):
    """A blocking check that did not pass; what stands after it was not computed, and nothing was published."""


class DeskNotReady(DeskError):
    """A setting, port, folder or service that must be there before the desk can start."""


class SigningKeyNotUsable(DeskError):
    """A signing key that is missing, of the wrong kind, cut short, or readable by somebody it does not belong to."""


class ApprovalRefused(DeskError):
    """A request for four eyes, or a decision on one, that breaks a rule; nothing was written."""


class StepRefused(DeskError):
    """A step of a client or of a case that breaks a rule; nothing was written."""


class MasterKeyNotUsable(DeskError):
    """A master key that is missing, cut short, readable by others, or not the one that something was sealed under."""


class PersonalDataNotUsable(DeskError):
    """Personal data that cannot be sealed, or sealed data that cannot be opened; the message never says what it is."""


class ErasureRefused(DeskError):
    """Personal data that must still be kept; nothing was destroyed."""


class NameNotUsable(DeskError):
    """A name of which nothing can be compared, or more than can be compared in bounded time."""


class OwnershipNotUsable(DeskError):
    """A structure of owners that cannot be: somebody holds nothing, or an entity is held to more than all of it."""


class RatingNotUsable(DeskError):
    """Scores of which no risk rating can be made."""


class IdentifierNotValid(DeskError):
    """An ISIN, LEI, IBAN, CUSIP or SEDOL whose form or check digits are not those of its standard."""


class OpeningRefused(DeskError):
    """A desk from another system that cannot be believed as a whole; nothing of it was written."""


class ReportNotPossible(DeskError):
    """A report asked of the books for an account, a day or a moment that they cannot answer for."""


class ExportNotPossible(DeskError):
    """An export of the books that has no place to go."""
