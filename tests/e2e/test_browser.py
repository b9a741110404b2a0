import json
import shutil

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

DAG = "train_digits"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OFFLINE = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def page(stack):
    if CHROMIUM is None:
        pytest.skip("Chromium is missing: install Debian's package chromium to run the browser tests")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OFFLINE))
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(60_000)
        sign_in(page, stack)
        yield page
        browser.close()


def sign_in(page, stack):
    page.goto(f"{stack.airflow_url}/")
    page.fill("input[name='username']", "admin")
    page.fill("input[name='password']", stack.password)
    page.keyboard.press("Enter")
    page.get_by_text("Welcome", exact=False).or_(page.get_by_text("Stats")).first.wait_for()


def fill(dialog, section, values):
    dialog.get_by_role("button", name=section, exact=True).click()
    for key, value in values.items():
        field = dialog.locator(f"input[name='element_{key}']")
        field.fill(value)
        field.press("Tab")


def submit(page, dialog, dag_id):
    """Presses the form's button and returns the id of the run that Airflow made."""
    with page.expect_response(lambda answer: answer.url.endswith(f"/dags/{dag_id}/dagRuns")) as answered:
        dialog.get_by_role("button", name="Trigger", exact=True).click()
    return answered.value.json()["dag_run_id"]


def test_a_person_fills_the_trigger_form_and_follows_the_run_to_success(page, stack, first_run):
    page.goto(f"{stack.airflow_url}/dags/{DAG}")
    page.get_by_role("button", name="Trigger").first.click()
    dialog = page.get_by_role("dialog")
    fill(dialog, "Training", {"train.epochs": "12"})
    fill(dialog, "Augmentation", {"augment.factor": "2"})
    run_id = submit(page, dialog, DAG)

    page.goto(f"{stack.airflow_url}/dags/{DAG}/runs/{run_id}")
    page.get_by_text(run_id).first.wait_for()
    assert stack.wait(DAG, run_id) == "success"
    page.reload()
    page.get_by_text("Success", exact=True).first.wait_for()
    assert page.get_by_text("Failed", exact=True).count() == 0
    config = json.loads((stack.run_folder(run_id) / "run.json").read_text())["config"]
    assert config["train"]["epochs"] == 12
    assert config["augment"]["factor"] == 2
    summary = json.loads((stack.run_folder(run_id) / "summary.json").read_text())
    assert summary["state"] == "succeeded"
    assert stack.stable() == summary["metrics"]["register.version"]


def test_the_release_dag_goes_back_to_the_version_before_and_the_command_line_forth(page, stack, first_run):
    newer = stack.stable()
    page.goto(f"{stack.airflow_url}/dags/release")
    page.get_by_role("button", name="Trigger").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").nth(0).fill("digits")
    page.keyboard.press("Enter")
    dialog.get_by_role("combobox").nth(1).fill("rollback")
    page.keyboard.press("Enter")
    run_id = submit(page, dialog, "release")
    assert stack.wait("release", run_id) == "success"
    older = stack.stable()
    assert older < newer
    promoted = stack.slipway("promote", "digits", str(newer))
    assert promoted.returncode == 0, promoted.stderr
    assert stack.stable() == newer
    rolled_back = stack.slipway("rollback", "digits")
    assert rolled_back.returncode == 0, rolled_back.stderr
    assert stack.stable() == older


def test_the_links_to_mlflow_lead_to_its_view_for_model_training(page, stack, first_run):
    train = json.loads((stack.run_folder(first_run) / "nodes/train.json").read_text())
    page.goto(train["mlflow_run_url"])
    page.get_by_role("link", name="Runs", exact=True).first.wait_for()
    assert page.get_by_role("link", name="Evaluation runs").count() == 0
