"""The list of trusted certificates that Python spells is one that Java reads."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from cdcctl.local import java
from cdcctl.local.java import JavaHome
from cdcctl.local.truststore import trust_options

pytestmark = pytest.mark.spark


def test_java_reads_the_certificates_of_the_machine(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(java, "_bundled_home", lambda: tmp_path)
    options = dict(
        option.removeprefix("-D").split("=")
        for option in trust_options(JavaHome(tmp_path, "17"), tmp_path)
    )
    jvm = spark._jvm
    assert jvm is not None
    store = jvm.java.security.KeyStore.getInstance(options["javax.net.ssl.trustStoreType"])
    typed = options["javax.net.ssl.trustStorePassword"]
    gateway = spark.sparkContext._gateway
    assert gateway is not None
    password = gateway.new_array(jvm.char, len(typed))
    for place, letter in enumerate(typed):
        password[place] = letter
    content = jvm.java.io.FileInputStream(options["javax.net.ssl.trustStore"])
    store.load(content, password)
    trusted = ssl.create_default_context().get_ca_certs(binary_form=True)
    assert store.size() == len(trusted) > 0
    assert bytes(store.getCertificate("ca-0").getEncoded()) == trusted[0]


def test_a_java_of_the_machine_keeps_its_own_list(tmp_path: Path) -> None:
    assert trust_options(JavaHome(tmp_path, "17"), tmp_path) == []
    assert not list(tmp_path.iterdir())
