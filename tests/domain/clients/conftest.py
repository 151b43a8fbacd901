"""The house's rules on clients as they stand on the day of the tests."""

from datetime import date

import pytest

from domain import rulebook
from domain.clients.rules import (
    AlertLines,
    CaseTerms,
    CreditAccountTerms,
    FilingTerms,
    LargeValueLines,
    OwnershipLines,
    RetentionTerms,
    RiskRatingTerms,
    ScreeningLines,
    SuitabilityTerms,
)
from rulebooks import load_rulebook

DAY = date(2026, 6, 17)


@pytest.fixture(scope="session")
def clients_edition() -> rulebook.Edition:
    return load_rulebook("house.clients").governing(DAY)


@pytest.fixture(scope="session")
def aml_edition() -> rulebook.Edition:
    return load_rulebook("house.aml").governing(DAY)


@pytest.fixture(scope="session")
def screening_lines(clients_edition: rulebook.Edition) -> ScreeningLines:
    return rulebook.screening_lines(clients_edition)


@pytest.fixture(scope="session")
def ownership_lines(clients_edition: rulebook.Edition) -> OwnershipLines:
    return rulebook.ownership_lines(clients_edition)


@pytest.fixture(scope="session")
def rating_terms(clients_edition: rulebook.Edition) -> RiskRatingTerms:
    return rulebook.risk_rating_terms(clients_edition)


@pytest.fixture(scope="session")
def credit_terms(clients_edition: rulebook.Edition) -> CreditAccountTerms:
    return rulebook.credit_account_terms(clients_edition)


@pytest.fixture(scope="session")
def suitability(clients_edition: rulebook.Edition) -> SuitabilityTerms:
    return rulebook.suitability_terms(clients_edition)


@pytest.fixture(scope="session")
def alert_lines(aml_edition: rulebook.Edition) -> AlertLines:
    return rulebook.alert_lines(aml_edition)


@pytest.fixture(scope="session")
def filing_terms(aml_edition: rulebook.Edition) -> FilingTerms:
    return rulebook.filing_terms(aml_edition)


@pytest.fixture(scope="session")
def large_value_lines(aml_edition: rulebook.Edition) -> LargeValueLines:
    return rulebook.large_value_lines(aml_edition)


@pytest.fixture(scope="session")
def case_terms(aml_edition: rulebook.Edition) -> CaseTerms:
    return rulebook.case_terms(aml_edition)


@pytest.fixture(scope="session")
def retention_terms() -> RetentionTerms:
    return rulebook.retention_terms(load_rulebook("house.retention").governing(DAY))
