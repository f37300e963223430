"""Let the test plugin, made for the Home Assistant before, run on the newest; load it early: `-p tests.newest_home_assistant`.

Goes with the plugin's release for the newest Home Assistant.
"""

# Before the plugin imports respx: Home Assistant decides which httpx that finds.
import homeassistant.core  # noqa: F401
from homeassistant.components import logger
from homeassistant.components.logger import helpers

# The plugin looks for it where it was.
logger._clear_logger_overwrites = helpers._clear_logger_overwrites
