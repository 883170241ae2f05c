"""Settings from the environment and `.env`, and what is told of a mistake in them: the name, the value, what to do."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, BeforeValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from twin_platform.errors import PermanentError

_FILE = ".env"
_OURS = "twin_"
"""No other program's names begin so; with the other prefixes some do."""
_NOT_SETTINGS = "twin_test_"
_LONGER = 2
_ALIKE = 0.85
"""By `difflib`: one wrong, missing or transposed letter in the shortest name, up to three in the longest."""


class SettingsInvalid(PermanentError):
    """Settings that are wrong, missing or misspelt; a line for each."""

    runbook = "A setting is wrong"

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("\n".join(f"{fault}; {_FILE}.example says what can be set" for fault in faults))


class ServiceSettings(BaseSettings):
    """Read once from the environment and `.env`; passed down as values. An empty one is as if it were not there.

    Raises:
        SettingsInvalid: a value is wrong or missing; or a name that is set differs by a letter or two from one that
            exists, or begins with TWIN_ and does not exist: what somebody wanted to say would go unheard.
    """

    model_config = SettingsConfigDict(
        env_file=_FILE, env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - pydantic's own signature; it checks what is given
        try:
            unknown = tuple(_unknown(type(self)))
            super().__init__(**given)
        except ValidationError as error:
            raise SettingsInvalid((*unknown, *_wrong(type(self), error))) from error
        except (OSError, UnicodeDecodeError) as error:
            why = f"{_FILE} cannot be read: {error}; save it as UTF-8 text that this user may read, or move it away"
            raise SettingsInvalid((why,)) from error
        if unknown:
            raise SettingsInvalid(unknown)


def _resolved(path: Path) -> Path:
    """Return the path with `~` resolved, which no shell does for an `.env` file."""
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        message = f"{error} Write the whole path"
        raise ValueError(message) from error


def _with_scheme(url: object) -> object:
    """Refuse what a URL parser would misread: in `localhost:11434` it takes the host's name for the scheme."""
    if isinstance(url, str) and "://" not in url:
        message = f"it does not begin with http:// or https://; did you mean 'http://{url}'?"
        raise ValueError(message)
    return url


def _fit_for_a_header(key: SecretStr) -> SecretStr:
    """Return a key without the white space around it; one with more than plain signs was copied wrongly."""
    bare = key.get_secret_value().strip()
    if not bare.isascii() or not bare.isprintable() or " " in bare:
        message = "it holds a blank, a line's end or a letter beyond ASCII, which no key has; copy it again"
        raise ValueError(message)
    return SecretStr(bare)


Key = Annotated[SecretStr, AfterValidator(_fit_for_a_header)]
HttpUrl = Annotated[AnyHttpUrl, BeforeValidator(_with_scheme)]
LocalPath = Annotated[Path, AfterValidator(_resolved)]


def name_of(settings: type[BaseModel], field: str) -> str:
    """Return a field's name as it is written in the environment."""
    alias = settings.model_fields[field].validation_alias
    return str(alias or f"{settings.model_config.get('env_prefix', '')}{field}").upper()


def _unknown(settings: type[BaseSettings]) -> Iterator[str]:
    known = {name_of(settings, field).lower() for field in settings.model_fields}
    ours = any(name.startswith(_OURS) for name in known)
    places: tuple[tuple[str, Mapping[str, str | None]], ...] = (
        ("the environment", EnvSettingsSource(settings).env_vars),
        (_FILE, DotEnvSettingsSource(settings).env_vars),
    )
    for place, given in places:
        for name in sorted(name for name, value in given.items() if value and name not in known):
            as_long = [each for each in known if abs(len(each) - len(name)) <= _LONGER]
            if near := get_close_matches(name, as_long, n=1, cutoff=_ALIKE):
                yield f"{name.upper()} in {place} is no setting, {near[0].upper()} is; rename it, or unset it"
            elif ours and name.startswith(_OURS) and not name.startswith(_NOT_SETTINGS):
                yield f"{name.upper()} in {place} is no setting; unset it"


def _wrong(settings: type[BaseSettings], error: ValidationError) -> Iterator[str]:
    """Yield a sentence for each fault; the value is shown unless it is a secret."""
    names = {field: name_of(settings, field) for field in settings.model_fields}
    secret = {names[field] for field, info in settings.model_fields.items() if "SecretStr" in str(info)}
    for fault in error.errors(include_url=False, include_context=False):
        said = fault["msg"].removeprefix("Value error, ")
        if not fault["loc"]:  # several settings that do not fit each other
            yield said
            continue
        field = str(fault["loc"][0])
        name = names.get(field, field)
        if fault["type"] == "missing":
            yield f"{name} is not set; set it in the environment or in {_FILE}"
        else:
            yield f"{name}: {said}" + ("" if name in secret else f", got {fault['input']!r}")
