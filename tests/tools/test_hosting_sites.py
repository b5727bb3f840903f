"""Hosts that carry benchmarks, in the spellings that a resolver takes for the same host."""

import pytest

from medr_jax.tools.hosting_sites import is_hosting_site


@pytest.mark.parametrize(
    "url",
    [
        "https://huggingface.co/datasets/x",
        "raw.githubusercontent.com/a/b",
        "https://GitHub.com./a",
        "https://github.com:443/a",
        "https://\uff47ithub.com/a",  # a wide letter
        "https://github\u3002com/a",  # an ideographic full stop
    ],
)
def test_hosts_of_benchmarks_are_recognised(url):
    assert is_hosting_site(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://pubmed.ncbi.nlm.nih.gov/1",
        "https://nothuggingface.co/",
        "https://example.org/huggingface.co",
        "https://github.com.example.org/",
        "http://[::1",
        f"https://{'a' * 70}.com",
        "",
    ],
)
def test_other_hosts_are_not(url):
    assert not is_hosting_site(url)
