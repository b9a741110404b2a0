import shutil
import threading

import numpy as np
import pytest

from serving import digest
from serving.client import Client
from serving.errors import PromotionRefusedError, RegistryError, ReleaseError, ServerUnavailableError
from serving.registry import history
from serving.registry.version import Roles
from serving.release import models_config, promotion, reconciliation
from serving.release.target import ReleaseTarget

MODEL = "toy"


@pytest.fixture
def torn(tmp_path):
    folder = tmp_path / "torn"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"no model at all")
    return folder


def test_a_promoted_version_answers_behind_stable_and_is_what_was_registered(site, saved_models):
    version = site.register(saved_models["one"])
    assert site.promote(MODEL, version).labels == {"stable": version}
    assert site.answer() == 1.0
    assert digest.of_folder(site.models_dir / MODEL / str(version)) == digest.of_folder(saved_models["one"])
    assert site.registry.roles(MODEL) == Roles(champion=1, live=1)


def test_who_promoted_what_and_when_is_on_the_version(two_versions):
    tags = two_versions.registry.version(MODEL, 2).tags
    assert tags[history.PROMOTED_BY] == "anna"
    assert tags[history.PROMOTED_AT]


def test_a_model_of_columns_is_replayed_asked_and_promoted_like_any_other(site, saved_models):
    version = site.register(saved_models["columns"], "wdbc")
    assert site.promote("wdbc", version).labels == {"stable": version}
    values = {"mean_radius": np.full((3, 1), 1.5, np.float32), "town": np.array([b"a", b"bc", b""], object)}
    answer = site.client.predict("wdbc", values, label="stable")
    assert answer.version == version
    assert answer.outputs["score"].tolist() == [[3.0]] * 3
    assert answer.outputs["town"].tolist() == [b"a", b"bc", b""]
    broken = site.register(saved_models["broken columns"], "wdbc")
    with pytest.raises(ReleaseError, match="Expected finite numbers from wdbc version 2, output score"):
        site.promote("wdbc", broken)
    assert site.client.labelled("wdbc", "stable") == version


def test_a_challenger_is_served_behind_canary_beside_what_is_live(site, saved_models):
    site.promote(MODEL, site.register(saved_models["one"]))
    challenger = site.register(saved_models["two"])
    site.challenge(MODEL, challenger)
    assert site.labels() == {"stable": 1, "canary": challenger}
    assert (site.answer(), site.answer("canary")) == (1.0, 2.0)
    assert site.reconcile(MODEL).labels == {"stable": 1, "canary": challenger}


def test_what_is_live_already_does_not_become_the_challenger(two_versions):
    two_versions.challenge(MODEL, 2)
    assert two_versions.registry.roles(MODEL).challenger is None
    assert two_versions.labels() == {"stable": 2}


def test_a_rollback_brings_the_version_before_back_and_can_be_rolled_back_itself(two_versions):
    assert two_versions.answer() == 2.0
    two_versions.rollback(MODEL)
    assert two_versions.answer() == 1.0
    two_versions.rollback(MODEL)
    assert two_versions.answer() == 2.0


def test_an_alias_moved_by_hand_is_followed_and_what_it_replaced_is_remembered(two_versions):
    two_versions.registry.set_champion(MODEL, 1)
    two_versions.reconcile(MODEL)
    assert two_versions.answer() == 1.0
    assert two_versions.registry.roles(MODEL) == Roles(champion=1, previous_champion=2, live=1)


def test_an_alias_moved_to_what_cannot_be_served_goes_back_and_the_version_says_why(
    two_versions, saved_models
):
    broken = two_versions.register(saved_models["broken"])
    two_versions.registry.set_champion(MODEL, broken)
    with pytest.raises(ReleaseError, match=f"Expected finite numbers from toy version {broken}"):
        two_versions.reconcile(MODEL)
    assert two_versions.registry.roles(MODEL) == Roles(champion=2, previous_champion=1, live=2)
    assert "finite numbers" in two_versions.registry.version(MODEL, broken).tags[history.NOT_SERVED]
    assert (two_versions.answer(), two_versions.labels()) == (2.0, {"stable": 2})


def test_versions_without_a_role_leave_the_disk_and_the_previous_champion_stays(two_versions, saved_models):
    two_versions.promote(MODEL, two_versions.register(saved_models["three"]))
    assert {path.name for path in (two_versions.models_dir / MODEL).iterdir() if path.is_dir()} == {"2", "3"}


def test_reconciling_and_promoting_again_change_nothing(two_versions):
    before = two_versions.state()
    two_versions.reconcile(MODEL)
    two_versions.promote_judged(MODEL, 2, judged_against=2, by="run r")
    assert two_versions.state() == before


def test_two_promotions_at_once_end_one_after_the_other_with_everything_agreeing(site, saved_models):
    for name in ("one", "two"):
        site.register(saved_models[name])
    threads = [threading.Thread(target=site.promote, args=(MODEL, version)) for version in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    roles = site.registry.roles(MODEL)
    assert roles.champion == roles.live == site.labels()["stable"] == site.answer()
    assert {roles.champion, roles.previous_champion} == {1, 2}


@pytest.mark.parametrize("name", ["broken", "torn"])
def test_a_version_that_cannot_be_served_is_not_promoted_and_everything_is_as_before(
    two_versions, saved_models, torn, name
):
    version = two_versions.register({**saved_models, "torn": torn}[name])
    before = two_versions.state()
    with pytest.raises(ReleaseError, match=f"toy version {version}"):
        two_versions.promote(MODEL, version)
    assert two_versions.state() == before
    assert two_versions.answer() == 2.0


def test_the_first_version_of_a_model_that_cannot_be_loaded_leaves_no_entry(site, torn):
    site.register(torn)
    with pytest.raises(ReleaseError, match="cannot load toy version 1"):
        site.promote(MODEL, 1)
    assert site.registry.roles(MODEL) == Roles()
    assert site.server.served(MODEL) == models_config.ServedModel()


class Noting(Client):
    """Notes whether each new configuration was in force before the call's deadline."""

    def reload(self, config):
        self.in_force = [*getattr(self, "in_force", []), super().reload(config)]
        return self.in_force[-1]


def test_a_first_load_that_takes_longer_than_a_call_may_is_waited_for(site, saved_models):
    version = site.register(saved_models["slow"])
    with Noting(site.client.target, timeout_s=0.5) as hasty:
        target = ReleaseTarget(site.registry, hasty, site.models_dir, load_timeout_s=60)
        promotion.promote(target, MODEL, version)
    assert hasty.in_force[0] is False, "the load was to be slower than the call"
    assert site.answer() == 4.0


def test_files_that_changed_in_the_registry_are_never_served(site, saved_models, tmp_path):
    site.register(saved_models["one"])
    (stored,) = (tmp_path / "artifacts").rglob("saved_model.pb")
    stored.write_bytes(stored.read_bytes() + b"\0")
    with pytest.raises(RegistryError, match="are not those that were registered"):
        site.promote(MODEL, 1)
    assert site.registry.roles(MODEL).champion is None
    assert not [path for path in (site.models_dir / MODEL).iterdir() if path.is_dir()]


def test_with_no_server_a_promotion_leaves_everything_where_it_was(registry, site, tmp_path, saved_models):
    site.register(saved_models["one"])
    with (
        Client("127.0.0.1:1", timeout_s=2) as client,
        pytest.raises(ServerUnavailableError, match=r"Expected a model server at 127.0.0.1:1 .*make up"),
    ):
        promotion.promote(ReleaseTarget(registry, client, tmp_path / "elsewhere"), MODEL, 1)
    assert registry.roles(MODEL) == Roles()
    assert not (tmp_path / "elsewhere/models.config").exists()


def test_what_does_not_exist_is_answered_with_what_does(site, saved_models):
    site.register(saved_models["one"])
    with pytest.raises(RegistryError, match=r"Expected a version of toy, got 7. It has: 1"):
        site.promote(MODEL, 7)
    with pytest.raises(RegistryError, match=r"Expected a registered model, got 'tox'. Registered: toy"):
        site.promote("tox", 1)
    with pytest.raises(RegistryError, match="Expected a previous champion of toy"):
        site.rollback(MODEL)


# What a run may promote by itself.


def test_a_run_whose_model_was_judged_against_what_is_not_live_any_more_is_refused(
    two_versions, saved_models
):
    third = two_versions.register(saved_models["three"])
    with pytest.raises(
        PromotionRefusedError, match="was judged against version 1, and version 2 is live now"
    ):
        two_versions.promote_judged(MODEL, third, judged_against=1, by="run r")
    assert two_versions.answer() == 2.0


def test_data_that_goes_back_makes_the_older_version_live_again_and_forward_the_newer(two_versions):
    two_versions.promote_judged(MODEL, 1, judged_against=2, by="run r")
    assert two_versions.answer() == 1.0
    two_versions.promote_judged(MODEL, 2, judged_against=1, by="run s")
    assert two_versions.answer() == 2.0


def test_a_version_that_a_person_rolled_back_is_not_promoted_by_a_run_until_a_person_does(two_versions):
    two_versions.rollback(MODEL, "anna")
    for attempt in (
        lambda: two_versions.challenge(MODEL, 2),
        lambda: two_versions.promote_judged(MODEL, 2, judged_against=1, by="run r"),
    ):
        with pytest.raises(PromotionRefusedError, match=r"was rolled back to version 1 by anna at 2\d\d\d-"):
            attempt()
    assert two_versions.answer() == 1.0
    two_versions.promote(MODEL, 2, "ben")
    assert two_versions.promote_judged(MODEL, 2, judged_against=1, by="run r").labels == {"stable": 2}


def test_an_alias_that_was_moved_back_counts_as_a_rollback_before_anything_has_followed_it(two_versions):
    two_versions.registry.set_champion(MODEL, 1)
    with pytest.raises(PromotionRefusedError, match="was rolled back to version 1 by somebody"):
        two_versions.promote_judged(MODEL, 2, judged_against=1, by="run r")
    assert two_versions.answer() == 1.0


def test_a_rejected_version_is_not_asked_about_again(two_versions, saved_models):
    third = two_versions.register(saved_models["three"])
    two_versions.registry.tag_version(MODEL, third, history.rejected("anna", "2026-01-01T00:00:00+00:00"))
    with pytest.raises(PromotionRefusedError, match="was rejected by anna at 2026-01-01"):
        two_versions.challenge(MODEL, third)


def test_an_approval_counts_more_than_an_earlier_rejection(two_versions, saved_models):
    third = two_versions.register(saved_models["three"])
    two_versions.registry.tag_version(MODEL, third, history.rejected("anna", "2026-01-01T00:00:00+00:00"))
    two_versions.promote_judged(MODEL, third, judged_against=2, by="anna", approved=True)
    assert two_versions.answer() == 3.0
    assert history.REJECTED_AT not in two_versions.registry.version(MODEL, third).tags


def of_data_up_to(site, **days):
    for version, day in days.items():
        site.registry.tag_version(MODEL, int(version.removeprefix("v")), {history.NEWEST_SPAN: day})


def test_a_model_of_older_data_than_the_live_ones_is_refused_and_a_person_may_promote_it(
    two_versions, saved_models
):
    third = two_versions.register(saved_models["three"])
    of_data_up_to(two_versions, v2="2026-03-02", **{f"v{third}": "2026-03-01"})
    with pytest.raises(
        PromotionRefusedError,
        match=r"is of data up to 2026-03-01, and version 2, .* of data up to 2026-03-02",
    ):
        two_versions.promote_judged(MODEL, third, judged_against=2, by="run r")
    assert two_versions.answer() == 2.0
    two_versions.promote_judged(MODEL, third, judged_against=2, by="anna", approved=True)
    assert two_versions.answer() == 3.0


@pytest.mark.parametrize("live", ["2026-03-02", "2026-03-01"])
def test_a_model_of_data_as_new_as_the_live_ones_goes_live(two_versions, saved_models, live):
    third = two_versions.register(saved_models["three"])
    of_data_up_to(two_versions, v2=live, **{f"v{third}": "2026-03-02"})
    two_versions.promote_judged(MODEL, third, judged_against=2, by="run r")
    assert two_versions.answer() == 3.0


# One model never holds up another.


def test_a_broken_model_stops_neither_another_nor_its_own_rollback(
    two_versions, saved_models, torn, tmp_path
):
    site = two_versions
    site.registry.client.create_registered_model("other", tags={"slipway.pipeline": "other"})
    site.register(torn, "other")
    site.registry.set_champion("other", 1)
    with pytest.raises(ReleaseError, match="other: "):
        site.reconcile_all()
    third = site.register(torn, run="t")
    site.registry.set_challenger(MODEL, third)
    site.reconcile(MODEL)
    assert site.labels() == {"stable": 2}
    site.rollback(MODEL)
    assert site.answer() == 1.0


def test_a_previous_champion_that_was_deleted_or_lost_its_files_does_not_stop_a_promotion(
    two_versions, saved_models, tmp_path
):
    site = two_versions
    site.registry.client.delete_model_version(MODEL, "1")
    site.promote(MODEL, site.register(saved_models["three"]))
    assert site.answer() == 3.0
    site.registry.client.delete_model_version(MODEL, "2")
    site.reconcile(MODEL)
    assert site.answer() == 3.0


def test_models_that_slipway_did_not_make_are_left_alone(site, saved_models, tmp_path):
    shutil.copytree(saved_models["three"], tmp_path / "theirs/7")
    theirs = f'config {{ name: "theirs" base_path: "{tmp_path}/theirs" model_platform: "tensorflow" }}'
    site.models_dir.mkdir()
    site.server.config_path.write_text(f"model_config_list {{ {theirs} }}")
    site.registry.client.create_registered_model("theirs")
    site.promote(MODEL, site.register(saved_models["one"]))
    assert site.reconcile_all().keys() == {MODEL}
    (entry,) = [
        each
        for each in models_config.read(site.server.config_path).model_config_list.config
        if each.name == "theirs"
    ]
    assert (entry.base_path, entry.HasField("model_version_policy")) == (f"{tmp_path}/theirs", False)
    assert site.client.predict("theirs", {"image": np.zeros((1, 1), np.float32)}).version == 7
    with pytest.raises(ReleaseError, match="which Slipway did not make"):
        site.promote("theirs", site.register(saved_models["one"], "theirs"))


# Version N is the bytes registered as N.


def altered(site, version):
    path = site.models_dir / MODEL / str(version) / "saved_model.pb"
    path.write_bytes(path.read_bytes() + b"\0")


def test_a_folder_that_is_not_what_was_registered_is_replaced_before_it_is_served(two_versions):
    altered(two_versions, 1)
    two_versions.rollback(MODEL)
    assert digest.of_folder(two_versions.models_dir / MODEL / "1") == two_versions.registry.digest(MODEL, 1)


def test_after_a_registry_was_reset_the_new_version_1_answers_and_not_the_old_one_in_memory(
    site, saved_models
):
    site.promote(MODEL, site.register(saved_models["one"]))
    site.registry.client.delete_registered_model(MODEL)
    assert site.answer() == 1.0
    assert site.register(saved_models["two"]) == 1
    site.challenge(MODEL, 1)
    site.promote_judged(MODEL, 1, judged_against=None, by="run r")
    assert site.answer() == 2.0


def test_after_a_registry_was_reset_a_new_version_1_that_cannot_be_served_leaves_the_old_one_answering(
    site, saved_models
):
    site.promote(MODEL, site.register(saved_models["one"]))
    site.registry.client.delete_registered_model(MODEL)
    site.register(saved_models["broken"])
    with pytest.raises(ReleaseError, match="finite numbers"):
        site.promote_judged(MODEL, 1, judged_against=None, by="run r")
    assert site.answer() == 1.0


def test_an_empty_registry_unloads_nothing(two_versions):
    two_versions.registry.client.delete_registered_model(MODEL)
    assert two_versions.reconcile_all() == {}
    two_versions.reconcile(MODEL)
    assert two_versions.answer() == 2.0


def test_wiped_models_are_restored_from_the_registry(two_versions, saved_models):
    two_versions.challenge(MODEL, two_versions.register(saved_models["three"]))
    shutil.rmtree(two_versions.models_dir)
    two_versions.reconcile_all()
    assert (two_versions.answer(), two_versions.answer("canary")) == (2.0, 3.0)
    two_versions.rollback(MODEL)
    assert two_versions.answer() == 1.0


def test_a_state_folder_that_was_moved_serves_from_its_new_place(two_versions, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(two_versions.models_dir, moved)
    target = ReleaseTarget(two_versions.registry, two_versions.client, moved, load_timeout_s=30)
    assert reconciliation.reconcile(target, MODEL).labels == {"stable": 2}
    (entry,) = models_config.read(moved / "models.config").model_config_list.config
    assert entry.base_path == str(moved / MODEL)


def test_a_model_whose_alias_was_taken_away_is_still_what_candidates_are_judged_against(
    two_versions, saved_models
):
    two_versions.registry.set_champion(MODEL, None)
    assert two_versions.registry.live(MODEL) == 2
    third = two_versions.register(saved_models["three"])
    with pytest.raises(PromotionRefusedError, match="judged against nothing, and version 2 is live now"):
        two_versions.promote_judged(MODEL, third, judged_against=None, by="run r")
    assert two_versions.promote_judged(MODEL, third, judged_against=2, by="run r").labels == {"stable": third}
