"""Where webhooks may go: URLs in many spellings, and addresses that names resolve to."""

import ipaddress

import pytest

from kinora.errors import InvalidInput
from kinora.webhooks.targets import is_public, may_connect, target_of


def target(url, *, ports=(443,), loopback=False):
    return target_of(url, ports=ports, loopback=loopback)


REFUSED = [
    "http://hooks.example.com/",
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "//hooks.example.com/",
    "hooks.example.com",
    "https://",
    "https:///",
    "https://:443/",
    "https://user@hooks.example.com/",
    "https://user:pw@hooks.example.com/",
    "https://@hooks.example.com/",
    "https://hooks.example.com:80/",
    "https://hooks.example.com:22/",
    "https://hooks.example.com:8443/",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:65536/",
    "https://hooks.example.com:x/",
    "https://hooks.example.com/#fragment",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://a.localhost/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0/",
    "https://0.0.0.0/",
    "https://127.0.0.1./",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://192.0.0.1/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::808:808]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[::1/",
    "https://::1/",
    "https://hooks..example.com/",
    "https://-hooks.example.com/",
    "https://hooks.example.com\\@127.0.0.1/",
    "https://hooks.example.com%00.evil/",
    "https://h%6foks.example.com/",
    "https://１２７.0.0.1/",
    "https://hooks.example.com/é",
    "https://ⓛocalhost/",
]


@pytest.mark.parametrize("url", [*REFUSED, "https://hooks.example.com/a b", "https://hooks.example.com/\n", "", " https://a.b/",
                                 "https://hooks.example.com/" + "a" * 2048])  # fmt: skip
def test_what_is_no_public_https_url_is_refused(url):
    with pytest.raises(InvalidInput) as refused:
        target(url)
    assert refused.value.code == "webhook-url"


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://hooks.example.com", "hooks.example.com", 443, "/", "hooks.example.com"),
        ("HTTPS://Hooks.Example.com:443/a?b=c", "hooks.example.com", 443, "/a?b=c", "hooks.example.com"),
        ("https://h.example:8443/?x", "h.example", 8443, "/?x", "h.example:8443"),
        ("https://93.184.215.14/", "93.184.215.14", 443, "/", "93.184.215.14"),
        ("https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", 443, "/",
         "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]"),
    ],
)  # fmt: skip
def test_what_is_one_is_taken_apart(url, host, port, path, authority):
    made = target(url, ports=(443, 8443))
    assert (made.host, made.port, made.path, made.authority, made.is_loopback) == (host, port, path, authority, False)


def test_this_machine_is_a_target_only_where_a_setting_says_so_and_only_by_its_fixed_names():
    for url in ("http://127.0.0.1:8080/", "https://localhost:1234/", "http://[::1]:9/"):
        with pytest.raises(InvalidInput):
            target(url)
        assert target(url, loopback=True).is_loopback
    for url in (
        "http://127.0.0.2/",
        "http://10.0.0.1/",
        "http://hooks.example.com/",
        "https://127.1/",
        "https://[::ffff:127.0.0.1]/",
    ):
        with pytest.raises(InvalidInput):
            target(url, loopback=True)


@pytest.mark.parametrize("loopback", [False, True])
def test_a_name_that_resolves_to_this_machine_is_not_this_machine(loopback):
    made = target("https://rebind.example.com/", loopback=loopback)
    assert not may_connect(made, "127.0.0.1")
    assert not may_connect(made, "::1")
    assert not may_connect(made, "::ffff:10.0.0.1")
    assert not may_connect(made, "not an address")
    assert may_connect(made, "93.184.215.14")


def test_localhost_leads_nowhere_else():
    made = target("http://localhost/", loopback=True)
    assert may_connect(made, "127.0.0.1")
    assert may_connect(made, "::1")
    assert not may_connect(made, "93.184.215.14")
    assert not may_connect(made, "10.0.0.1")


def test_every_special_network_is_closed_from_its_first_to_its_last_address():
    """The blocks of the IANA registries (RFC 6890 and what follows it), and the ways to hide IPv4 in IPv6."""
    blocks = """0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/29 192.0.2.0/24
        192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 ::/128 ::1/128 ::/96
        ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/32 2001:2::/48 2001:10::/28 2001:20::/28 2001:db8::/32 2002::/16
        3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8"""
    for block in map(ipaddress.ip_network, blocks.split()):
        for address in (block[0], block[-1], block[block.num_addresses // 2]):
            assert not is_public(address), address


def test_neighbours_of_special_networks_are_open():
    for text in ("1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"):
        assert is_public(ipaddress.ip_address(text)), text
    for text in ("2001:4860:4860::8888", "2606:4700::1111", "2a00:1450:4001::1"):
        assert is_public(ipaddress.ip_address(text)), text
