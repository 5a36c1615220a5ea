"""The methods paragraph of a report: what was evaluated, and how each of its numbers was computed.

It is written from the typed findings, so it names only what they contain. `METHODS` has one sentence per method, with
its citations; `lcl_lab.reporting.bibliography` has their bibliography.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lcl_lab.analysis.detection import POWER
from lcl_lab.analysis.draws import CORRELATED_DRAWS, PERMUTATIONS
from lcl_lab.analysis.intervals import DRAWS, FEW
from lcl_lab.analysis.sign_flip import DRAWS as SIGN_DRAWS
from lcl_lab.analysis.sign_flip import ENUMERATED
from lcl_lab.reporting.bibliography import cited_keys, references, with_authors_and_years
from lcl_lab.reporting.findings import Claim, Findings, Section, Statement, Table, is_inconclusive
from lcl_lab.reporting.setting import Setting

__all__ = ["METHODS", "methods", "methods_citations", "methods_markdown", "methods_used"]

_BOOTSTRAP = (
    "The 95 % intervals of {estimands} are bias-corrected and accelerated bootstrap intervals [@efron1987] from "
    "{draws:,} resamples of whole {units} [@field2007], with tails at Student's quantile instead of the normal one "
    "[@hesterberg2015]. With fewer than {few:g} effective errors or successes, they are Wilson's intervals "
    "[@wilson1927] on the effective number of answers [@korn1998]; an accuracy of 0 or 1, which does not show how "
    "similar the answers of a cluster are, takes the intracluster correlation of the other accuracies of its table "
    "[@kish1965]."
)
_SIGN_FLIP = "95 % intervals contain all values that the sign-flip test [@fisher1935] of whole {units} does not reject"
_SIGNS = "all sign changes of up to {enumerated} {units} and {sign_draws:,} random ones of more"
_WIDENED = (
    "where few answers differ, they are widened by Wilson's intervals of gains and losses [@wilson1927], combined by "
    "the method of variance estimates recovery [@zou2008]"
)
_CROSSED = (
    "was estimated with trainings and {units} as crossed random factors [@searle1992]; its 95 % interval and p-value "
    "are Student's"
)

METHODS: Mapping[str, str] = {
    "cluster bootstrap over concept pairs": _BOOTSTRAP,
    "cluster bootstrap over support draws": (
        "Intervals of {estimands} within one category are the same with support draws as clusters."
    ),
    "Wilson's interval of independent queries": (
        "For comparison, Wilson's intervals [@wilson1927] are given, which treat queries as independent."
    ),
    "paired difference, sign-flip interval and test over concept pairs": (
        "Conditions and models were compared on the same queries by mean paired differences ({estimands}). Their "
        "p-values are those of McNemar's exact test [@mcnemar1947] for clustered pairs [@durkalski2003]. Their "
        f"{_SIGN_FLIP}, with {_SIGNS}; {_WIDENED}."
    ),
    "paired difference, sign-flip interval over concept pairs": (
        "Models were compared on the same questions by mean paired differences ({estimands}). Their "
        f"{_SIGN_FLIP}, with {_SIGNS}; {_WIDENED}."
    ),
    "paired difference cut to 0 and 1, sign-flip interval over concept pairs": (
        "The link score, how far answers follow the labels of the support [@tai2024], is the accuracy with all labels "
        "true minus that with all labels false, cut to 0 and 1 like the sign-flip interval of the difference."
    ),
    "accuracy corrected for chance, cluster bootstrap over concept pairs": (
        "Of a choice between n names, chance-corrected accuracy is (A − 1/n) / (1 − 1/n), and its interval is that of "
        "the accuracy A, corrected likewise."
    ),
    "paired difference corrected for chance, sign-flip interval and test over concept pairs": (
        "Differences between numbers of names are also given for outcomes that were corrected for chance, with the "
        "intervals and tests of paired differences."
    ),
    "verdict on the link by intervals and a margin": (
        "A model was said to follow the labels if the whole 95 % interval of its change in accuracy lies beyond the "
        "margin, and not to read them if the intervals of the change and of the share of changed answers lie within it."
    ),
    "isotonic regression, bootstrap over concept pairs": (
        "The {estimands} is the crossing of the non-increasing fit to the accuracies [@barlow1972], with straight "
        "lines between the ratios; its 95 % interval has percentiles of {draws:,} resamples of whole {units} "
        "[@field2007], those of Student's instead of the normal quantile [@hesterberg2015]. A crossing was reported "
        "only if nearly all resamples cross; if any does not, the interval extends to that end of the ratios "
        "[@benjamini2005]."
    ),
    "logistic curve, generalised estimating equations over concept pairs": (
        "The {estimands} is from a logistic regression by generalised estimating equations [@liang1986] clustered by "
        "{units}, with standard errors corrected for the small number of clusters [@mancl2001]."
    ),
    "crossed random effects of trainings and concept pairs, two sets of trainings": (
        f"The {{estimands}} from one strategy to another {_CROSSED} with Satterthwaite's degrees of freedom "
        "[@satterthwaite1946], so that they hold for new trainings and new {units}."
    ),
    "crossed random effects of trainings and concept pairs, one set of trainings": (
        f"The {{estimands}} of one strategy from one condition to another {_CROSSED} with the weighted "
        "quantile of Cochran and Cox [@cochran1957]."
    ),
    "crossed random effects of seeds and concept pairs": (
        "Means over training seeds and the standard deviations between seeds and between {units} are from a two-way "
        "analysis of variance with crossed random effects [@searle1992]. The interval of a mean is Wilson's "
        "[@wilson1927] on the number of answers with the same variance [@korn1998], at a weighted Student quantile "
        "[@cochran1957]; those of the standard deviations between seeds are Williams' [@williams1962; @burdick1992]."
    ),
    "variance within queries; of accuracy with Wilson's interval, else the jackknife over concept pairs": (
        "Standard deviations of a query's outcome over orders and over draws of its support are computed within "
        "queries. For outcomes of 0 and 1, their 95 % intervals are Wilson's [@wilson1927] on the effective number of "
        "comparisons [@korn1998]; those of other outcomes and of shares of variance are Student's on the jackknife "
        "over {units} [@arvesen1969]."
    ),
    "sign-flip intervals over concept pairs, simultaneous for all positions": (
        "One label at a time was made false on the same queries. 95 % intervals of the drops in accuracy are sign-flip "
        "intervals over {units} [@fisher1935; @durkalski2003] that hold for all positions simultaneously, at the level "
        "at which the largest of correlated t statistics stays within its quantile [@westfall1993], of {band_draws:,} "
        "draws."
    ),
    "sign-flip intervals over concept pairs, simultaneous for all steps": (
        "The {estimands} is a mean paired difference on the same queries, with sign-flip intervals over {units} "
        "[@fisher1935; @durkalski2003] that hold for all steps of a model simultaneously, at the level at which the "
        "largest of correlated t statistics stays within its quantile [@westfall1993]."
    ),
    "MOVER with cluster-robust limits over concept pairs, simultaneous for all positions": (
        "In the factorial design [@fisher1935], the effect of a false label is averaged over the other labels "
        "[@hainmueller2014; @dasgupta2015]. Its simultaneous 95 % intervals combine Clopper and Pearson's limits "
        "[@clopper1934] on effective numbers of prompts [@korn1998] by the method of variance estimates recovery for "
        "correlated estimates [@zou2008], at the quantile of the largest of correlated t statistics [@westfall1993]."
    ),
    "marginal odds ratio by MOVER, Wilson's intervals on effective sizes; the paired difference decides": (
        "Odds ratios are marginal [@neuhaus1991]; their intervals combine Wilson's intervals [@wilson1927] of the two "
        "accuracies on effective numbers of answers [@korn1998] by the method of variance estimates recovery for "
        "correlated estimates [@zou2008], and exclude 1 only where the interval of the paired difference excludes 0."
    ),
    "ratio of two correlated accuracies above chance by MOVER, Wilson's intervals on effective sizes": (
        "The {estimands} is a model's accuracy above chance divided by that of a nearest-prototype classifier on the "
        "same queries, with the interval of a ratio of correlated estimates [@donner2012]."
    ),
    "equal-mass bins, bias and interval by the test-inversion bootstrap over concept pairs": (
        "Confidence is the larger of the probabilities that total log-likelihoods give the two names. Calibration is "
        "described by the Brier score [@brier1950] and the expected calibration error [@naeini2015] over bins of equal "
        "mass [@roelofs2022]; the bias of the latter [@kumar2019] and its interval are from a test-inversion bootstrap "
        "[@carpenter1999] of whole {units}."
    ),
    "choice between candidates after calibration": (
        "Calibrated choices subtract what a model prefers whatever the query shows: its log-odds with a grey image as "
        "the query (`candidate-pmi`, pointwise mutual information [@holtzman2021]), those of its mean probability with "
        "a grey, a black and a white image and noise (`candidate-contextual`, contextual calibration [@zhao2021]), or, "
        "for the name that the support shows last, those of its mean probability over the queries of all other {units} "
        "of the condition (`candidate-batch`, batch calibration [@zhou2024])."
    ),
    "variance components of nested pairs, queries and draws, crossed with trainings; Williams' intervals": (
        "Sources of variance were separated by an analysis of variance [@searle1992] of queries within {units} and "
        "supports within queries, crossed with trainings, with Williams' intervals [@williams1962; @burdick1992]."
    ),
    "betting confidence sequence over concept pairs": (
        "The {estimands} has the hedged betting confidence sequence [@waudbysmith2024] of the means of {units} in the "
        "order in which they were drawn. By Ville's inequality [@ville1939] it holds with 95 % probability at all "
        "numbers of {units} together, so that the study may be looked at, and continued with further {units}, at any "
        "time."
    ),
    "share of answers, cluster bootstrap over concept pairs": (
        "Rates of answers that move or stay when all labels are exchanged are shares of queries, with the same "
        "intervals as accuracies."
    ),
    "Cohen's kappa, jackknife and bootstrap over concept pairs": (
        "Agreement with the answers without a support is Cohen's kappa [@cohen1960], with the outer ends of Student's "
        "interval on the jackknife over {units} [@arvesen1969] and of the interval of the share of equal answers."
    ),
    "penalised logistic regression on rules, jackknife over concept pairs": (
        "With random labels, the choice between the two names was regressed on the choices of simple rules by logistic "
        "regression penalised by Jeffreys' prior [@firth1993; @heinze2002], with Student's intervals on the jackknife "
        "over {units} [@arvesen1969]."
    ),
    "means with simultaneous intervals over concept pairs": (
        "95 % intervals of {estimands} hold for all heads of a model simultaneously: their half-widths are standard "
        "errors of the jackknife over {units} [@arvesen1969], times Šidák's bound on the quantile of the largest of t "
        "statistics [@sidak1967] with as many degrees of freedom as there are effective clusters [@kish1965], less one."
    ),
    "ratios of means, linearised, with simultaneous intervals over concept pairs": (
        "The share that a patch regains [@meng2022; @todd2024] is the mean gain in the margin of the first token over "
        "the mean difference between the intact prompt and the one with false labels; simultaneous intervals are those "
        "of the linearised ratio."
    ),
    "area under the ROC curve, Obuchowski's variance over concept pairs": (
        "How well a score tells queries of concepts in the support from others is the area under its ROC curve "
        "[@bamber1975], with its variance for clustered data [@obuchowski1997] over {units} and Wilson's interval "
        "[@wilson1927] on the effective number of trials [@korn1998]."
    ),
    "share at a threshold, MOVER over concept pairs": (
        "The false-positive rate is the share of the other queries that are accepted at the threshold which accepts "
        "95 % of the queries of concepts in the support [@hendrycks2017]. Its interval combines Wilson's interval "
        "[@wilson1927] on an effective number of queries [@korn1998] and the change of the share between the limits of "
        "the threshold by the method of variance estimates recovery [@zou2008]."
    ),
    "accuracy above a threshold, cluster bootstrap over concept pairs and MOVER": (
        "Accuracy on accepted queries, at the same threshold, combines the interval of an accuracy and the change "
        "between the limits of the threshold in the same way."
    ),
    "permutation of positions within concept pairs": (
        "That all positions have the same effect was tested by the variance of the mean drops under {permutations:,} "
        "permutations of the positions within {units}."
    ),
    "sign-flip test over support draws": (
        "Within a category, models were compared by McNemar's exact test [@mcnemar1947] clustered by support draws "
        "[@durkalski2003]."
    ),
    "two one-sided tests over concept pairs": (
        "That training does no harm was tested by two one-sided tests at 5 % [@schuirmann1987], as inclusion in the "
        "margin of a 90 % interval that also allows for harm to a share of {units} of which none may be in the sample."
    ),
    "VQA accuracy": "Answers to VQAv2 were scored by VQA accuracy [@antol2015; @goyal2017].",
    "Holm's correction": (
        "P-values of a family of tests were adjusted by Holm's method [@holm1979], which controls the probability of "
        "any false positive."
    ),
    "Benjamini and Hochberg's correction": (
        "They were also adjusted to control the expected share of false positives [@benjamini1995]."
    ),
}
"""One sentence or two per method, with its citations: the `method` of estimates, tables and claims, and `methods` of
statements. Fields: `estimands`, the estimands computed by it; `units`, what clusters are called; and the numbers of
draws that the estimators use."""

_NUMBERS: Mapping[str, float] = {
    "draws": DRAWS,
    "few": FEW,
    "sign_draws": SIGN_DRAWS,
    "enumerated": ENUMERATED,
    "band_draws": CORRELATED_DRAWS,
    "permutations": PERMUTATIONS,
}
_CLAIMS = (
    "A claim of the paper [@tai2024] holds if the whole 95 % interval of its estimate says so, does not hold if the "
    "whole interval contradicts it, and is inconclusive otherwise. Its p-value is the one that the interval implies "
    "[@altman2011]."
)
_TOGETHER = "Verdicts are also given after Holm's correction [@holm1979] for the {tests} tested claims together."
_LOOKS = (
    "The same question was analysed {looks} times in this results folder, so the level of each claim is also divided "
    "by {looks}."
)
_DETECTABLE = (
    "Inconclusive results come with the difference that would have been detected with a probability of {power:.0f} %, "
    "and with the number of clusters with which the estimate, if it is true, would be decided with that probability."
)
_TEST_ALONE = "A claim that a test alone decides holds if p < 0.05, and is inconclusive otherwise."
_TRAININGS = "No verdict was given on a strategy of which there is one training."


def methods(findings: Findings) -> list[Statement]:
    """The methods paragraph as typed sentences, whose citations are in Pandoc's syntax.

    What was evaluated, metrics and grading, one sentence per method in the order in which the findings use them, the
    assessment of claims, margins, seeds and version. A method that `METHODS` does not know, as of a user's own study,
    is named as it is.

    Args:
        findings: what a study found. Without a setting, only the methods are described.
    """
    setting = findings.setting
    sentences = list(_evaluated(setting, findings.metrics)) if setting else []
    units = setting.units if setting else "concept pairs"
    sentences += [_sentence(method, estimands, units) for method, estimands in methods_used(findings).items()]
    sentences += _conclusions(findings)
    return sentences + (list(_reproduction(setting)) if setting else [])


def methods_used(findings: Findings) -> dict[str, list[str]]:
    """The methods behind all numbers of the findings in order, each with the estimands that it computed."""
    used: dict[str, dict[str, None]] = {}
    for method, estimand in _all_methods(findings):
        if method:
            used.setdefault(method, {}).update({estimand: None} if estimand else {})
    return {method: list(estimands) for method, estimands in used.items()}


def methods_markdown(findings: Findings) -> tuple[str, list[str]]:
    """The methods paragraph with authors and years, and the references that it cites as lines of Markdown."""
    text = " ".join(sentence.text for sentence in methods(findings))
    return with_authors_and_years(text), [f"- {references()[key].text}" for key in sorted(cited_keys(text))]


def methods_citations(findings: Findings) -> list[str]:
    """The keys of the references that the methods paragraph cites, each once."""
    return cited_keys(" ".join(sentence.text for sentence in methods(findings)))


def _all_methods(findings: Findings) -> Iterator[tuple[str, str]]:
    """Method and estimand of every number, in the order of the report; an estimand may be empty."""
    for section in findings.sections:
        yield from _section_methods(section)
    for claim in findings.claims:
        if claim.estimate is not None:
            yield claim.estimate.method, claim.estimate.estimand
        yield claim.method, ""


def _section_methods(section: Section) -> Iterator[tuple[str, str]]:
    for table in section.tables:
        yield from ((method, table.estimand) for method in _table_methods(table))
    for statement in section.statements:
        yield from ((estimate.method, estimate.estimand) for estimate in statement.estimates)
        yield from ((method, "") for method in statement.methods)


def _table_methods(table: Table) -> Sequence[str]:
    if table.estimand and "method" in table.frame:  # without an estimand, the column has systems of the paper
        return list(table.frame["method"].unique())
    return [table.method]


def _sentence(method: str, estimands: Sequence[str], units: str) -> Statement:
    if method not in METHODS:
        what = f"{_listed(estimands)}: " if estimands else ""
        return Statement("Method of {what}{method}.", {"what": what, "method": method})
    values: dict[str, Any] = {**_NUMBERS, "estimands": _listed(estimands), "units": units}
    template = METHODS[method]
    return Statement(template, {name: value for name, value in values.items() if f"{{{name}" in template})


def _evaluated(setting: Setting, metrics: Sequence[str]) -> Iterator[Statement]:
    """What was evaluated, by which metrics, and how answers were graded."""
    few, many = setting.queries
    yield Statement(
        "The findings are from {answers:,} answers of {evaluated} to queries about {clusters} {units}{data}, "
        "{few:,}{many} queries per model and condition.",
        {
            "answers": setting.answers,
            "evaluated": _named(setting.models, "the model", "the models"),
            "clusters": setting.clusters,
            "units": setting.units,
            "data": f" of {_named(setting.data, '', '')}" if setting.data else "",
            "few": few,
            "many": f" to {many:,}" if many > few else "",
        },
    )
    if "open-ended" in metrics:
        rules = ["the rule `{grading}`"] if setting.grading else []
        rules += ["the rule of each question"] if setting.has_questions else []
        yield Statement(
            f"Open-ended accuracy is the share of generated answers that are correct by {' or '.join(rules)}.",
            {"grading": setting.grading} if setting.grading else {},
        )
    if "candidate" in metrics:
        other, share = (
            ("every other name", "1/m with m equally likely names")
            if setting.has_several
            else (
                "the other name",
                "one half",
            )
        )
        ties = f"; ties count {share}" if setting.ties else ""
        yield Statement(
            "Candidate accuracy is the share of queries for which the true name has a higher log-likelihood per token "
            f"than {other}{ties}."
        )


def _conclusions(findings: Findings) -> Iterator[Statement]:
    """How claims were assessed, and what inconclusive results come with."""
    tested = [claim for claim in findings.claims if claim.p_value is not None]
    if tested:
        yield Statement(_CLAIMS)
    if len(tested) > 1:
        yield Statement(_TOGETHER, {"tests": len(tested)})
    if tested and findings.looks > 1:
        yield Statement(_LOOKS, {"looks": findings.looks})
    if any(claim.estimate is None for claim in tested):
        yield Statement(_TEST_ALONE)
    undecided: list[Statement | Claim] = [
        statement for section in findings.sections for statement in section.statements if statement.undecided
    ]
    undecided += [claim for claim in findings.claims if is_inconclusive(claim.verdict)]
    single = [one for one in undecided if is_inconclusive(one.verdict) and one.verdict != "inconclusive"]
    if len(undecided) > len(single):
        yield Statement(_DETECTABLE, {"power": 100 * POWER})
    if single:
        yield Statement(_TRAININGS)


def _reproduction(setting: Setting) -> Iterator[Statement]:
    """Margins, seeds and version."""
    if setting.margins:
        margins = [f"{value:g} ({what})" for what, value in setting.margins.items()]
        number = "The margin was" if len(margins) == 1 else "The margins were"
        yield Statement(f"{number} {{margins}}.", {"margins": _listed(margins)})
    seeds = _listed([str(seed) for seed in setting.seeds])
    plural = "s" if len(setting.seeds) > 1 else ""
    yield Statement(
        "Episodes and resamples were drawn from the random seed{plural} {seeds}. The analysis used LCL Lab {version}.",
        {"plural": plural, "seeds": seeds, "version": setting.version},
    )


def _named(fingerprints: Mapping[str, str | None], one: str, several: str) -> str:
    """Names with their fingerprints: ``the models `a` (fingerprint 0123) and `b` (fingerprint 4567)``."""
    names = [f"`{name}` (fingerprint {key})" if key else f"`{name}`" for name, key in fingerprints.items()]
    return f"{one if len(names) == 1 else several} {_listed(names)}".strip()


def _listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, or `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
