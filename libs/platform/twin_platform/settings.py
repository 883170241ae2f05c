"""Settings from the environment, `.env` and a folder of secrets; a mistake is told by name, value and what to do."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from twin_platform.errors import PermanentError

_FILE = ".env"
_OURS = "twin_"
"""No other program's names begin so; with the other prefixes some do."""
_NOT_SETTINGS = "twin_test_"
_SECRETS = "TWIN_SECRETS"
_LONGER = 2
_ALIKE = 0.85
"""By `difflib`: one wrong, missing or transposed letter in the shortest name, up to three in the longest."""


class SettingsInvalid(PermanentError):
    """Settings that are wrong, missing or misspelt; a line for each."""

    runbook = "A setting is wrong"

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("\n".join(f"{fault}; {_FILE}.example says what can be set" for fault in faults))


def _resolved(path: Path) -> Path:
    """Return the path with `~` resolved, which no shell does for an `.env` file."""
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        message = f"{error} Write the whole path"
        raise ValueError(message) from error


LocalPath = Annotated[Path, AfterValidator(_resolved)]


class ServiceSettings(BaseSettings):
    """Read once from the environment, `.env` and the secrets' folder, the first that has it; passed down as values.

    An empty one is as if it were not there.

    Raises:
        SettingsInvalid: a value is wrong or missing; or a name that is set differs by a letter or two from one that
            exists, or begins with TWIN_ and does not exist: what somebody wanted to say would go unheard.
    """

    model_config = SettingsConfigDict(
        env_file=_FILE, env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    twin_secrets: LocalPath | None = Field(default=None, validation_alias=_SECRETS)
    """Folder of files named like settings, each with a value: where containers get their secrets."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - pydantic's own signature; it checks what is given
        try:
            unknown = tuple(_unknown(type(self)))
            super().__init__(**given)
        except ValidationError as error:
            raise SettingsInvalid((*unknown, *_wrong(type(self), error))) from error
        except SettingsError as error:
            raise (error.__cause__ or error) from None  # what a source of ours has told
        except (OSError, UnicodeDecodeError) as error:
            why = f"{_FILE} cannot be read: {error}; save it as UTF-8 text that this user may read, or move it away"
            raise SettingsInvalid((why,)) from error
        if unknown:
            raise SettingsInvalid(unknown)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's own signature; this one is another
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from, the first one first."""
        return init_settings, env_settings, dotenv_settings, _SecretsFolder(settings_cls, _secrets_folder(settings_cls))


class _SecretsFolder(SecretsSettingsSource):
    """A folder with a file for each setting; an empty one is as if it were not there."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        try:
            value, key, is_complex = super().get_field_value(field, field_name)
        except (OSError, UnicodeDecodeError) as error:
            name = name_of(self.settings_cls, field_name)
            message = f"{name} in {_SECRETS}={self.secrets_dir} cannot be read: {error}; let this user read it"
            raise SettingsInvalid((message,)) from error
        return value or None, key, is_complex


def _secrets_folder(settings: type[BaseSettings]) -> Path | None:
    """Return the folder that is set; one that is not there is told, lest each of its settings be."""
    name = _SECRETS.lower()
    given = EnvSettingsSource(settings).env_vars.get(name) or DotEnvSettingsSource(settings).env_vars.get(name)
    if not given:
        return None
    folder = Path(given).expanduser()
    if not folder.is_dir():
        message = f"{_SECRETS}: there is no folder {given!r}; name the one that the secrets are in, or unset it"
        raise SettingsInvalid((message,))
    return folder


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


def name_of(settings: type[BaseModel], field: str) -> str:
    """Return a field's name as it is written in the environment."""
    alias = settings.model_fields[field].validation_alias
    return str(alias or f"{settings.model_config.get('env_prefix', '')}{field}").upper()


def _unknown(settings: type[BaseSettings]) -> Iterator[str]:
    known = {name_of(settings, field).lower() for field in settings.model_fields}
    ours = any(name.startswith(_OURS) for name in known - {_SECRETS.lower()})
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
            yield f"{name} is not set; set it in the environment or in {_FILE}{_or_a_file(settings, name)}"
        else:
            yield f"{name}: {said}" + ("" if name in secret else f", got {fault['input']!r}")


def _or_a_file(settings: type[BaseSettings], name: str) -> str:
    folder = _secrets_folder(settings)
    return f", or write it into {folder / name}" if folder else ""
