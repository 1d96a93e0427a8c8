import pytest

from pitlane.stack import jdks
from pitlane.stack.errors import Missing
from pitlane.stack.jdks import Jdk


def made(root, name, version, *, compiler=True):
    """A folder that looks like a JDK, `version` as its release file writes it."""
    home = root / name
    (home / "bin").mkdir(parents=True)
    for program in ("java", "javac") if compiler else ("java",):
        (home / "bin" / program).touch(mode=0o755)
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Only the JDKs below tmp_path/jvm are there to be found."""
    monkeypatch.setattr(jdks, "_FOLDERS", (f"{tmp_path}/jvm/*",))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in [name for name in jdks.os.environ if name.startswith("JAVA_HOME")]:
        monkeypatch.delenv(name)
    jdks.find.cache_clear()
    yield tmp_path / "jvm"
    jdks.find.cache_clear()


def chosen(versions):
    found = tuple(Jdk(home=None, version=version, has_compiler=True) for version in versions)
    result = {}
    for program in jdks.NEEDS:
        try:
            result[program] = jdks.choose(program, found).version
        except Missing:
            result[program] = None
    return result


@pytest.mark.parametrize(
    ("versions", "nifi", "spark", "kafka"),
    [
        ([21], 21, 21, 21),
        ([17, 25], 25, 17, 17),
        ([17], None, 17, 17),
        ([25], 25, None, 25),
        ([11], None, None, None),
        ([8, 17, 21, 25], 21, 21, 21),
    ],
)
def test_each_program_gets_a_version_that_it_runs_on(versions, nifi, spark, kafka):
    assert chosen(versions) == {"NiFi": nifi, "the NAR build": nifi, "Spark": spark, "Kafka": kafka}


def test_the_nar_build_needs_a_compiler():
    runtime = Jdk(home=None, version=21, has_compiler=False)
    assert jdks.choose("NiFi", (runtime,)) == runtime
    with pytest.raises(Missing, match="javac"):
        jdks.choose("the NAR build", (runtime,))


def test_versions_are_read_from_release_files(machine):
    made(machine, "a", "17.0.15")
    made(machine, "b", "1.8.0_442", compiler=False)
    made(machine, "c", "25")
    (machine / "default").symlink_to(machine / "a")
    (machine / "empty").mkdir()
    assert [(jdk.home.name, jdk.version, jdk.has_compiler) for jdk in jdks.find()] == [
        ("a", 17, True),
        ("b", 8, False),
        ("c", 25, True),
    ]


def test_java_home_comes_first_and_may_lie_anywhere(machine, tmp_path, monkeypatch):
    made(machine, "a", "21.0.8")
    monkeypatch.setenv("JAVA_HOME", str(made(tmp_path, "elsewhere", "21.0.1")))
    assert [jdk.home.name for jdk in jdks.find()] == ["elsewhere", "a"]
    assert jdks.jdk("NiFi").environment()["JAVA_HOME"].endswith("elsewhere")


def test_what_is_missing_names_what_was_found_and_how_to_get_it(machine):
    made(machine, "old", "11.0.2")
    with pytest.raises(Missing) as missing:
        jdks.jdk("Spark")
    assert "17 to 21" in str(missing.value)
    assert "11 in " in str(missing.value)
    assert "openjdk-21-jdk" in missing.value.hint
