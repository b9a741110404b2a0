from contract import addresses


def test_a_person_finds_mlflow_where_programs_do_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("SLIPWAY_MLFLOW_PAGE", raising=False)
    assert addresses.mlflow_page("http://mlflow:5000") == "http://mlflow:5000"

    monkeypatch.setenv("SLIPWAY_MLFLOW_PAGE", "https://models.example.org/")
    assert addresses.mlflow_page("http://mlflow:5000") == "https://models.example.org"
