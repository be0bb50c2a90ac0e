"""Where secrets stand in addresses, commands, headers and files of settings, and where each of them ends."""

from __future__ import annotations

import pytest

from runbook_lib.domain.secret_patterns import Finder, Part
from runbook_lib.domain.secret_places import PLACES, ArgumentLists, Commands, UrlPasswords, connection_passwords


def found(finder: Finder, text: str) -> list[str]:
    part = Part(text, 0, len(text), len(text))
    return [text[begin:end] for begin, end in finder.spans(part)]


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("https://user:abc@host/x", ["abc"]),
        ("redis://:abc@cache:6379/0", ["abc"]),
        ("https://a:abc@h https://b:def@h", ["abc", "def"]),
        # A port is no password, nor is what no host follows.
        ("https://host:8080/x@y", []),
        ("https://host:443", []),
        ("https://host:123456@other", ["123456"]),
        ("https://user:abc", []),
        ("https://user:abc@/x", []),
        ("https://user:abc@sha256:0a1b", []),
        ("https://user:${PASSWORD}@host", []),
        ("https://user:@host", []),
        # A password may hold what ends it elsewhere.
        ("postgres://app:a@b@db.example.com/app", ["a@b"]),
        ("postgres://app:a/b@db.example.com/app", ["a/b"]),
        ("postgres://app:a@b@localhost/app", ["a@b"]),
        ("postgres://app:a@b@db:5432", ["a@b"]),
        ("postgres://app:a@b@[::1]/app", ["a@b"]),
        # What comes after the host's path belongs to that.
        ("https://app:abc@db.example.com/users/me@example.com", ["abc"]),
        ("https://app:abc@db.example.com?mail=me@example.com", ["abc"]),
        # The quotes around an address end it, others are the password's.
        ("'https://app:a'b@host.example.com'", ["a'b"]),
        ("'https://app:abc@host.example.com', 'me@example.com'", ["abc"]),
        ("'https://app:abc@host.example.com','me@example.com'", ["abc"]),
        ("['https://app:abc@host.example.com']:me@example.com", ["abc"]),
        ("https://app:a'.b@host.example.com", ["a'.b"]),
        ('"https://app:abc@host.example.com" "me@x"', ["abc"]),
        ("https://app:abc@host.example.com,https://app:def@host.example.com", ["abc", "def"]),
        ("https://host.example.com/a:abc@x", []),
    ],
)
def test_a_password_in_an_address_ends_before_the_host(text: str, secrets: list[str]) -> None:
    assert found(UrlPasswords(), text) == secrets


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("curl -u me:abc https://host", ["abc"]),
        ("curl -U me:abc https://host", ["abc"]),
        ("curl -sSu me:abc https://host", ["abc"]),
        ("curl --user me:abc https://host", ["abc"]),
        ("curl --user=me:abc https://host", ["abc"]),
        ("curl --proxy-user me:abc https://host", ["abc"]),
        ("curl --user-agent me:abc https://host", []),
        ("curl -u 'me:a b' https://host", ["a b"]),
        ("curl -u me:$PASSWORD https://host", []),
        ("curl -u https://host", []),
        ("mysql -pabc app", ["abc"]),
        ("mysql -p'a b' app", ["a b"]),
        ('mysql -p"a b" app', ["a b"]),
        ("mysqldump -pabc app", ["abc"]),
        ("mysql -p app", []),
        ("mariadb -pabc app", ["abc"]),
        ("sshpass -pabc ssh host", ["abc"]),
        ("sshpass -p abc ssh host", ["abc"]),
        ("redis-cli -a abc ping", ["abc"]),
        ("redis-cli -aabc ping", []),
        ("docker login -u me -p abc host", ["abc"]),
        ("docker run -p abc host", []),
        ("az login -u me -p abc", ["abc"]),
        ("sqlcmd -S host -P abc", ["abc"]),
        ("sqlcmd -S host -p abc", []),
        ("ldapsearch -x -w abc", ["abc"]),
        ("openssl rsa -passin pass:abc -in x", ["abc"]),
        ("openssl rsa -passin bypass:abc -in x", []),
        ("smbclient -U me%abc //host/x", ["abc"]),
        ("smbclient -U me //host/x", []),
        # A program, and not the name of something else.
        ("amysql -pabc", []),
        ("my_mysql -pabc", []),
        ("x.mysql -pabc", []),
        ("/usr/bin/mysql -pabc", ["abc"]),
        *((f"mysql{after} -pabc", []) for after in ("_x", ".cnf", ":", "=1")),
        # Each program's own, up to where its command ends.
        ("mysql -pabc; mysql -pdef", ["abc", "def"]),
        ("mysql app | tool -pabc", []),
        ("mysql app\ntool -pabc", []),
        ("mysql app \\\n -pabc", ["abc"]),
        ("mysql -pabc -pdef", ["abc", "def"]),
        # A port that is handed on, and a value that is looked up.
        ("mysql -p:3306", []),
        ("mysql -p$PASSWORD", []),
    ],
)  # fmt: skip
def test_a_program_is_given_its_password_by_its_own_option(text: str, secrets: list[str]) -> None:
    assert found(Commands(), text) == secrets


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("Command '['curl', '-u', 'me:abc', 'https://host']' returned non-zero exit status 22.", ["abc"]),
        ("Command '['mysql', '-u', 'me', '-pabc', 'app']' returned non-zero exit status 1.", ["abc"]),
        ('["curl", "--user", "me:abc"]', ["abc"]),
        ('["curl",\n  "-u",\n  "me:abc"\n]', ["abc"]),
        (r'{\"command\": [\"mysql\", \"-pabc\"]}', ["abc"]),
        ("('/usr/bin/sshpass', '-p', 'abc', 'ssh', 'host')", ["abc"]),
        ("['docker', 'login', '-u', 'me', '-p', 'abc']", ["abc"]),
        ("['mysql', '-pabc'], ['redis-cli', '-a', 'def']", ["abc", "def"]),
        # Whatever the argument holds is the password.
        ("['mysql', '-pa b;c|d', 'app']", ["a b;c|d"]),
        ("""['mysql', "-pa'b", 'app']""", ["a'b"]),
        ("['mysql', '-pabc", ["abc"]),
        # An option of another program, a port, a value that is looked up, and what is no list.
        ("['docker', 'run', '-p', 'abc']", []),
        ("['amysql', '-pabc']", []),
        ("['my_mysql', '-pabc']", []),
        ("['mysql'], ['-pabc']", []),
        ("['mysql', '-p', '-h', 'host']", []),
        ("['mysql', '-p$PASSWORD']", []),
        ("['curl', '-u', 'https://host']", []),
        ("'mysql' '-pabc'", []),
    ],
)  # fmt: skip
def test_a_program_is_given_its_password_in_a_list_of_arguments(text: str, secrets: list[str]) -> None:
    assert found(ArgumentLists(), text) == secrets


BY_NAME = {finder.name: finder for finder in PLACES}
HEADER, BEARER, NETRC = "HTTP authorization", "bearer token", "password in .netrc"
DOCKER, NPM, PGPASS = "authorization kept by Docker or npm", "token of npm's settings", "password in pgpass"


@pytest.mark.parametrize(
    ("place", "text", "secrets"),
    [
        *((HEADER, f"Authorization: {kind} abcdefg8", ["abcdefg8"])
          for kind in ("Basic", "Bearer", "token", "ApiKey", "Splunk")),
        (HEADER, "authorization=abcdefg8", ["abcdefg8"]),
        (HEADER, '"Authorization": "abcdefg8"', ["abcdefg8"]),
        (HEADER, "headers['Authorization'] = 'abcdefg8'", ["abcdefg8"]),
        (HEADER, "Authorization: abcdef8", []),
        (HEADER, "Authorization: required-here", []),
        (HEADER, "Authorization: abcdefg8(x)", []),
        (BEARER, "Bearer abcdefghij012345", ["abcdefghij012345"]),
        (BEARER, "bearer%20abcdefghij012345", ["abcdefghij012345"]),
        (BEARER, "Bearer abcdefghij01234", []),
        (BEARER, "a-bearer abcdefghij012345", []),
        (BEARER, "bearer authentication-tokens", []),
        (NETRC, "machine host login me password abc", ["abc"]),
        (NETRC, "default login me password abc", ["abc"]),
        (NETRC, "machine host login me account it password abc", ["abc"]),
        (NETRC, "login me password abc-1", ["abc-1"]),
        # Without a machine it may be a sentence.
        (NETRC, "login me password abc", []),
        (NETRC, "machine host login me password true", []),
        (DOCKER, '"auth": "YWRtaW46aHVudGVyMg=="', ["YWRtaW46aHVudGVyMg=="]),
        (DOCKER, "_auth=YWRtaW46aHVudGVyMg==", ["YWRtaW46aHVudGVyMg=="]),
        # It says of no user.
        (DOCKER, '"auth": "disabled"', []),
        (DOCKER, '"x-auth": "YWRtaW46aHVudGVyMg=="', []),
        (NPM, "//host/:_authToken=abcd", ["abcd"]),
        (NPM, "//host/:_authToken=abc", []),
        (NPM, "//host/:_password = abcd", ["abcd"]),
        (NPM, "//host/:_authToken=${TOKEN}", []),
        (NPM, "my_authToken=abcd", []),
        (PGPASS, "host:5432:app:me:abc", ["abc"]),
        (PGPASS, "host:5433:app:me:abc", []),
        (PGPASS, "host:5432:app:me", []),
        (PGPASS, "host:5432:app:me:true", []),
    ],
)  # fmt: skip
def test_each_place_gives_away_its_secret_and_nothing_else(place: str, text: str, secrets: list[str]) -> None:
    assert found(BY_NAME[place], text) == secrets


@pytest.mark.parametrize(
    ("text", "passwords"),
    [
        ("Server=db;Uid=app;Pwd=abc;", {"abc"}),
        ("Server=db; Password = a b c ;x=y", {"a b c "}),
        ("Server=db;PWD={a;b}}c};Encrypt=yes", {"{a;b}}c}"}),
        ("Server=db;Pwd=abc", {"abc"}),
        ("Pwd=abc;Server=db;Password=def", {"abc", "def"}),
        ("Server=db;Pwd=true;", set()),
        # Braces around a name mark the place that a template fills.
        ("Server=db;Pwd={name};", set()),
        # In ODBC's braces it may be made of letters and digits alone, which a template's name is not.
        ("Driver={ODBC};Server=db;UID=sa;PWD={hunter2x}", {"{hunter2x}"}),
        ("Driver={ODBC};PWD={hunter2x};Server=db", {"{hunter2x}"}),
        ("UID={user};PWD={db_password1};x=1", set()),
        ("UID={0};PWD={1};x=1", set()),
        ("cd /tmp;PWD=/var/log; ls", set()),
        ("Server=db;Uid=pwd;", set()),
        ("MyPwd=abc", set()),
        ("no secret", set()),
    ],
)
def test_a_connection_string_says_its_passwords(text: str, passwords: set[str]) -> None:
    assert connection_passwords(text) == passwords
