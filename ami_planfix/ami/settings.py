"""The configuration's section `ami` -> where to connect and how."""

import ssl

from ami_planfix.ami.link import AmiSettings
from ami_planfix.config.model import Ami
from ami_planfix.errors import ConfigurationError


def settings_of(section: Ami) -> AmiSettings:
    """Make the settings of a connection; raises ConfigurationError for a certificate that cannot be read."""
    return AmiSettings(
        host=section.host,
        port=section.port,
        username=section.username,
        secret=section.secret.get_secret_value(),
        tls=_tls(section) if section.tls else None,
        timeout=section.timeout,
        silence=section.silence,
    )


def _tls(section: Ami) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=section.ca)
    except (OSError, ssl.SSLError) as fault:
        raise ConfigurationError(f"ami.ca: {section.ca} is no certificate that can be read: {fault}") from fault
    # Asterisk's own certificates (ast_tls_cert) rarely name the address by which it is reached; whoever
    # names the certificate to trust has said which one it is.
    context.check_hostname = section.ca is None
    return context
