"""Home Assistant wants a flow where there are entries."""

from homeassistant.config_entries import ConfigFlow


class OracleFlow(ConfigFlow, domain="oracle"):
    pass
