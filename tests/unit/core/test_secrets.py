"""Keys in settings, commands and files are refused, and no message repeats them."""

import re
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core import secrets
from raft_exp.core.errors import ConfigError, DataError
from tests.helpers.composing import compose

LETTERS = string.ascii_letters + string.digits
KEYS = {
    "openai": "sk-proj-4fQ9xT2vLmB7cR1nW8yZ",
    "anthropic": "sk-ant-api03-4fQ9xT2vLmB7cR1nW8yZ",
    "hub": "hf_AbCdEfGhIjKlMnOpQrStUvWx",
    "github": "ghp_16C7e42F292c6912E7710c838347Ae17",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "google": "AIzaSyA-1234567890abcdefghijklmnopqrstu",
    "slack": "xoxb-123456789012-abcdefGHIJ",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "header": "Bearer 0123456789abcdef0123",
    "private": "-----BEGIN RSA PRIVATE KEY-----",
}
PLACES: dict[str, Callable[[str], dict[str, object]]] = {
    "note": lambda key: {"note": f"made with {key}, see there"},
    "extra_body": lambda key: {"teacher": {"extra_body": {"metadata": [{"who": key}]}}},
    "base_url": lambda key: {"engine": {"base_url": f"https://gate.example/{key}/v1"}},
    "deep": lambda key: {"arms": {"gpt": {"engine": {"extra_body": {"a": {"b": key}}}}}},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KEYS)
def test_known_kinds_of_keys_are_refused_anywhere(kind, place):
    with pytest.raises(
        ConfigError, match=r"^\w[\w.\[\]]+: contains text that looks like a key \(not shown here\)"
    ) as error:
        secrets.check_settings(PLACES[place](KEYS[kind]))
    assert KEYS[kind] not in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "apiKey",
        "Authorization",
        "password",
        "X-Api-Key",
        "token",
        "access_token",
        "Ocp-Apim-Subscription-Key",
    ],
)
def test_a_value_under_such_a_name_is_refused(name):
    with pytest.raises(ConfigError, match="has the name of a key or password") as error:
        secrets.check_settings({"teacher": {"extra_body": {name: "hush"}}})
    assert "hush" not in str(error.value)


@pytest.mark.parametrize("name", ["api_key_env", "max_new_tokens", "tokens", "keys", "monkey", "batch_tokens", "keyed"])
def test_other_names_are_none(name):
    secrets.check_settings({name: "OPENAI"})


@given(st.text(LETTERS + "-_./+", min_size=12, max_size=60).filter(lambda text: text[0] not in "/~."))
def test_the_value_of_a_variable_is_refused_wherever_it_stands(value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOME_GATEWAY_TOKEN", value)
        for settings in ({"note": f"x {value} y"}, {"teacher": {"model": value}}):
            with pytest.raises(ConfigError, match=r"not shown here") as error:
                secrets.check_settings(settings)
            assert value not in str(error.value).replace("SOME_GATEWAY_TOKEN", "")
        with pytest.raises(ConfigError):
            secrets.check_arguments(["+experiment=pubmedqa", f"note={value}"])


@pytest.mark.parametrize(
    "url",
    [
        "https://host/v1#abc",
        "https://host/v1?sig=abc",
        "https://host/4fQ9xT2vLmB7cR1nW8yZabcd/v1",
        "https://me:hush@host/v1",
    ],
)
def test_a_key_in_an_address_is_refused(url):
    with pytest.raises(ConfigError, match=r"engine.base_url: is a URL with") as error:
        secrets.check_settings({"engine": {"base_url": url}})
    assert url not in str(error.value)
    with pytest.raises(ConfigError, match=r"teacher.base_url\[1\]: is a URL with") as error:
        secrets.check_settings({"teacher": {"base_url": ["https://host/v1", url]}})
    assert url not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "http://127.0.0.1:8001/v1",
        "https://gateway.ai.cloudflare.com/v1/0123456789abcdef0123456789abcdef/mine/openai",
        "https://mine.openai.azure.com/openai/deployments/gpt-4o-2024-08-06-Mini",
    ],
)
def test_usual_addresses_are_taken(url):
    secrets.check_settings({"engine": {"base_url": url}, "corpus": {"path": url}})


@pytest.mark.parametrize("study", ["quickstart", "pubmedqa", "hotpotqa", "natural_questions", "documents", "real"])
def test_the_settings_of_the_shipped_studies_hold_none(study):
    secrets.check_settings(compose(f"+experiment={study}"))


@pytest.mark.parametrize("kind", KEYS)
def test_a_file_with_a_key_is_named_with_its_line(tmp_path, kind):
    (tmp_path / "results.json").write_text('{\n "raw": "fine"\n}\n')
    secrets.check_files(tmp_path, "published")
    (tmp_path / "weights.bin").write_bytes(b"\0" * 10 + KEYS[kind].encode())
    secrets.check_files(tmp_path, "published")
    (tmp_path / "config.yaml").write_text(f"a: 1\nnote: {KEYS[kind]}\n")
    with pytest.raises(DataError, match=re.escape("config.yaml, line 2: contains text that looks like a key")) as error:
        secrets.check_files(tmp_path, "published")
    assert KEYS[kind] not in str(error.value)
