"""From what a person pastes to the base address of a server, and where a key may not go.

Everything here is decided from the text alone, without DNS.
"""

from enum import StrEnum, auto
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from yarl import URL


class EndpointProblem(StrEnum):
    """Why an address is refused; each has a sentence in the translations."""

    EMPTY = auto()
    NOT_AN_ADDRESS = auto()
    SCHEME = auto()
    USER_PART = auto()
    QUERY = auto()
    LINK_LOCAL = auto()
    METADATA = auto()
    KEY_OVER_HTTP = auto()
    KEY_MALFORMED = auto()
    ACCOUNT = auto()


class InvalidEndpoint(ValueError):
    """An address or a key that we do not use."""

    def __init__(self, code: EndpointProblem) -> None:
        """Carry the code; neither the address nor the key is in the text."""
        super().__init__(code.value)
        self.code = code


# Keys have up to a few hundred characters, tokens of gateways up to a few thousand. Servers take no longer line.
_LONGEST_KEY = 8_000
_HOUSE_NAMES = ("localhost", "local", "lan", "home", "internal", "home.arpa")
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog"})
# Addresses of cloud metadata services outside the link-local range: Alibaba, Oracle, AWS over IPv6.
_METADATA_ADDRESSES = frozenset(map(ip_address, ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")))
_NAT64 = ip_network("64:ff9b::/96")

type _Address = IPv4Address | IPv6Address


def _address(host: str) -> _Address | None:
    """Return the literal address in a host, seen through the forms that carry an IPv4 address inside IPv6."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(address.packed[-4:])
    return address


def is_in_the_house(host: str) -> bool:
    """Say whether a host is one that only a home network resolves or routes: no DNS is asked."""
    host = host.lower().rstrip(".")
    address = _address(host)
    if address is not None:
        # Shared address space (100.64.0.0/10) counts too: this is how private overlay networks number their hosts.
        return not address.is_global
    return "." not in host or any(host.endswith(f".{name}") for name in _HOUSE_NAMES)


def _check_host(host: str) -> None:
    host = host.lower().rstrip(".")
    if host in _METADATA_NAMES:
        raise InvalidEndpoint(EndpointProblem.METADATA)
    address = _address(host)
    if address is None:
        last = host.rpartition(".")[2]
        # Resolvers read 2852039166 and 0xa9fe.0xa9fe as addresses, so they would pass for names of the house.
        if not host or last.isdigit() or last.startswith("0x"):
            raise InvalidEndpoint(EndpointProblem.NOT_AN_ADDRESS)
        return
    if address in _METADATA_ADDRESSES:
        raise InvalidEndpoint(EndpointProblem.METADATA)
    if address.is_link_local:
        raise InvalidEndpoint(EndpointProblem.LINK_LOCAL)
    if address.is_unspecified or address.is_multicast:
        raise InvalidEndpoint(EndpointProblem.NOT_AN_ADDRESS)


def _parse(text: str) -> URL:
    """Read an address with or without a scheme; without one, hosts of the house get http, all others https."""
    try:
        if "://" in text:
            return URL(text)
        if _address(text) is not None and ":" in text:
            text = f"[{text}]"
        url = URL(f"//{text}")
        return URL(f"{'http' if is_in_the_house(url.raw_host or '') else 'https'}://{text}")
    except ValueError:
        pass
    raise InvalidEndpoint(EndpointProblem.NOT_AN_ADDRESS)


def base_url(text: str, *, root: str = "", endings: tuple[str, ...] = (), key: str | None = None) -> URL:
    """Return the address that a protocol's paths are appended to, without a slash at its end.

    `endings` are paths of the protocol that people paste along; they are cut off. `root` is the path of a server
    that was given without one. Raises `InvalidEndpoint`.
    """
    text = text.strip()
    if not text:
        raise InvalidEndpoint(EndpointProblem.EMPTY)
    if any(character.isspace() or not character.isprintable() for character in text):
        raise InvalidEndpoint(EndpointProblem.NOT_AN_ADDRESS)
    url = _parse(text)
    if url.scheme not in {"http", "https"}:
        raise InvalidEndpoint(EndpointProblem.SCHEME)
    if url.raw_user is not None or url.raw_password is not None:
        raise InvalidEndpoint(EndpointProblem.USER_PART)
    if "?" in text or "#" in text:
        raise InvalidEndpoint(EndpointProblem.QUERY)
    # What goes to the resolver, so that no spelling in another script passes unseen.
    host = url.raw_host or ""
    _check_host(host)
    if key and url.scheme == "http" and not is_in_the_house(host):
        raise InvalidEndpoint(EndpointProblem.KEY_OVER_HTTP)
    path = url.path.rstrip("/")
    for ending in endings:
        path = path.removesuffix(ending).rstrip("/")
    # Half of the root is no place of its own.
    return url.with_path(root if f"{root}/".startswith(f"{path}/") else path)


def checked_key(key: str | None) -> str | None:
    """Return a key as it may stand in a header, None for an empty one. Raises `InvalidEndpoint`."""
    key = (key or "").strip()
    if len(key) > _LONGEST_KEY or any(character.isspace() or not character.isprintable() for character in key):
        raise InvalidEndpoint(EndpointProblem.KEY_MALFORMED)
    return key or None
