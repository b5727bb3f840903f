"""A model's text to Tantivy queries, without the query parser.

The parser crashes on deep nesting and reads ``-foo`` as "all but foo"; here every character
that is neither letter nor digit only separates words.
"""

import functools
import itertools
import math
import re
from typing import NamedTuple

import tantivy

from medr_jax.retrieval.analysis import STOP_WORDS, Analyzer, plain
from medr_jax.retrieval.columns import ANY, Filters
from medr_jax.retrieval.config import IndexConfig

MAX_QUERY_CHARS = 4096
MAX_TERMS = 32
_TELLING_SHARE = 0.5  # of the largest weight among the query's terms
_MAX_PHRASE_WORDS = 12
_MAX_PHRASE_SOURCE = 48  # words of the query in which phrases are looked for

# DOIs; "HP:0001166", also with the spaces that a tokenizer may put round the colon; numbers of
# trials, of full texts and of drug applications.
_IDENTIFIER = re.compile(
    r"\b(?:[Dd][Oo][Ii]\s?:\s?)?10\.\d{4,9}/[A-Za-z0-9_./()-]{0,60}[A-Za-z0-9]"
    r"|\b[A-Za-z][A-Za-z_]{1,20}\s?:\s?[A-Za-z0-9][A-Za-z0-9_.-]{0,40}\b"
    r"|\b(?:NCT|PMC|NDA|ANDA|BLA|nct|pmc)\d{4,10}(?::\d{3})?\b"
)


class ParsedQuery(NamedTuple):
    """What is looked for. ``weights``: term -> inverse document frequency, in query order."""

    weights: dict[str, float]
    phrases: tuple[str, ...]  # keys of names that the query contains, longest first
    phrase_terms: frozenset[tuple[str, ...]]  # the terms of each
    other_terms: tuple[str, ...]  # terms outside of phrases
    identifiers: tuple[str, ...]  # known ones, upper case


class QueryBuilder:
    """Reads queries against one opened index."""

    def __init__(
        self,
        searcher: tantivy.Searcher,
        schema: tantivy.Schema,
        analyzer: Analyzer,
        ranking: IndexConfig,
    ) -> None:
        self._num_docs = searcher.num_docs
        # Terms come again and again, spans of a query hardly ever.
        self._doc_freq = functools.lru_cache(maxsize=1 << 17)(searcher.doc_freq)
        self._holding = searcher.doc_freq
        self._schema = schema
        self._analyzer = analyzer
        self._ranking = ranking
        # BM25's inverse document frequency of a term of the whole text.
        self.weight = functools.lru_cache(maxsize=1 << 16)(functools.partial(self._idf, "body"))

    def parse(self, text: str) -> ParsedQuery:
        """Terms, known names and known identifiers in the first 4,096 characters."""
        identifiers, text = self._identifiers(plain(text[:MAX_QUERY_CHARS]))
        known = [
            (term, weight)
            for term in dict.fromkeys(self._analyzer.terms(text))
            if (weight := self.weight(term))
        ]
        telling = [pair for pair in known if pair[0] not in self._analyzer.stop_terms] or known
        if len(telling) > MAX_TERMS:
            kept = {term for term, _ in sorted(telling, key=lambda p: (-p[1], p[0]))[:MAX_TERMS]}
            telling = [pair for pair in telling if pair[0] in kept]
        phrases = self._phrases(text)
        phrase_terms = frozenset(map(self._analyzer.name_terms, phrases))
        within = frozenset().union(*phrase_terms)
        return ParsedQuery(
            weights=dict(telling),
            phrases=phrases,
            phrase_terms=phrase_terms,
            other_terms=tuple(term for term, _ in telling if term not in within),
            identifiers=identifiers,
        )

    def identified(self, query: ParsedQuery, filters: Filters) -> tantivy.Query:
        """Documents that bear one of the query's identifiers."""
        bearers = [self._term("identifiers", identifier) for identifier in query.identifiers]
        return self._narrowed([(tantivy.Occur.Must, _any(bearers))], filters)

    def phrased(self, query: ParsedQuery, filters: Filters) -> tantivy.Query:
        """Documents that bear or list every phrase, and hold every term outside of phrases."""
        must = tantivy.Occur.Must
        clauses = [
            (must, _any([self._term("names", phrase), self._term("items", phrase)]))
            for phrase in query.phrases
        ]
        clauses += [(must, self._term("body", term)) for term in query.other_terms]
        return self._narrowed([*clauses, *self._clauses(query, tantivy.Occur.Should)], filters)

    def conjunction(self, query: ParsedQuery, filters: Filters) -> tantivy.Query:
        """Documents that hold every term."""
        return self._narrowed(self._clauses(query, tantivy.Occur.Must), filters)

    def disjunction(
        self, query: ParsedQuery, filters: Filters, *, telling_only: bool = False
    ) -> tantivy.Query:
        """Documents that hold any term; of the telling terms only, it is three times faster."""
        if telling_only:
            least = _TELLING_SHARE * max(query.weights.values())
            telling = {term: w for term, w in query.weights.items() if w >= least}
            query = query._replace(weights=telling)
        clauses = self._clauses(query, tantivy.Occur.Should)
        if filters == ANY:
            return tantivy.Query.boolean_query(clauses)
        return self._narrowed([(tantivy.Occur.Must, tantivy.Query.boolean_query(clauses))], filters)

    def _clauses(
        self, query: ParsedQuery, occur: tantivy.Occur
    ) -> list[tuple[tantivy.Occur, tantivy.Query]]:
        ranking, should = self._ranking, tantivy.Occur.Should
        factor, shares = 1.0, {}
        if ranking.by_share:
            shares = {phrase: self._share(query, phrase) for phrase in query.phrases}
            factor = max(shares.values(), default=0.0)
        clauses = [(occur, self._term("body", term)) for term in query.weights]
        for field, boost in (("title", ranking.title_boost), ("synonyms", ranking.synonym_boost)):
            for term in query.weights if boost * factor else ():
                if self._doc_freq(field, term):
                    boosted = tantivy.Query.boost_query(self._term(field, term), boost * factor)
                    clauses.append((should, boosted))
        for field, boost in (("names", ranking.name_boost), ("items", ranking.item_boost)):
            for phrase in query.phrases if boost else ():
                bonus = boost * self._idf(field, phrase) * shares.get(phrase, 1.0)
                if bonus:
                    clauses.append(
                        (should, tantivy.Query.const_score_query(self._term(field, phrase), bonus))
                    )
        return clauses

    def _share(self, query: ParsedQuery, phrase: str) -> float:
        """The fourth power of the part of the query's weight that the phrase holds: 0 to 1."""
        within = math.fsum(
            query.weights.get(term, 0.0) for term in set(self._analyzer.name_terms(phrase))
        )
        return (within / (math.fsum(query.weights.values()) or 1.0)) ** 4

    def _narrowed(self, clauses, filters: Filters) -> tantivy.Query:
        """The clauses among documents that pass; constant zero, for filters must not rank."""
        narrow = [
            self._term(field, value)
            for field, value in (("kind", filters.kind), ("source", filters.source))
            if value
        ]
        if filters.since or filters.until:
            narrow.append(
                tantivy.Query.range_query(
                    self._schema,
                    "date",
                    tantivy.FieldType.Integer,
                    max(filters.since, 1),  # 0 = unknown
                    filters.until or None,
                )
            )
        must = tantivy.Occur.Must
        passing = [(must, tantivy.Query.const_score_query(query, 0.0)) for query in narrow]
        return tantivy.Query.boolean_query([*clauses, *passing])

    def _term(self, field: str, value: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, field, value, index_option="freq")

    def _idf(self, field: str, value: str) -> float:
        """ln(1 + (N - n + 0.5) / (n + 0.5)), as in Tantivy's BM25; 0 when nothing holds it."""
        holding = self._doc_freq(field, value)
        if not holding:
            return 0.0
        return math.log1p((self._num_docs - holding + 0.5) / (holding + 0.5))

    def _phrases(self, text: str) -> tuple[str, ...]:
        """Names (titles, synonyms) in the query: longest first, not overlapping.

        A query that is one name, listed item, sentence or definition is one phrase.
        """
        words = self._analyzer.words(text)
        whole = " ".join(words)
        if self._holding("items", whole) or self._holding("names", whole):
            return (whole,)
        words = words[:_MAX_PHRASE_SOURCE]
        ends = [end - 1 for end in itertools.accumulate(len(word) + 1 for word in words)]
        starts = [0, *(end + 1 for end in ends)]
        free = [True] * len(words)
        found = []
        # All queries pass here: a phrase is a piece of the text, and spans that begin as no name
        # does are not looked up.
        opening = [
            start
            for start in range(len(words) - 1)
            if self._holding("heads", whole[starts[start] : ends[start + 1]])
        ]
        for length in range(min(_MAX_PHRASE_WORDS, len(words)), 0, -1):
            for start in opening if length > 1 else range(len(words)):
                if start + length > len(words):
                    break
                phrase = whole[starts[start] : ends[start + length - 1]]
                if not self._holding("names", phrase) or not all(free[start : start + length]):
                    continue
                if length > 1 or phrase not in STOP_WORDS:
                    found.append(phrase)
                    free[start : start + length] = [False] * length
        return tuple(dict.fromkeys(found))

    def _identifiers(self, text: str) -> tuple[tuple[str, ...], str]:
        """Known identifiers, upper case, and the text without them."""
        known: dict[str, None] = {}

        def take(match: re.Match[str]) -> str:
            written = re.sub(r"\s", "", match.group()).upper()
            for identifier in (written, f"DOI:{written}"):
                if self._doc_freq("identifiers", identifier):
                    known[identifier] = None
                    return " "
            return match.group()

        rest = _IDENTIFIER.sub(take, text)
        return tuple(known), rest


def _any(queries: list[tantivy.Query]) -> tantivy.Query:
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])
